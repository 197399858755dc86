/*
 * github.c - GitHub says who somebody is in a way of its own; it comes out like the claims of the others
 *
 * The address in /user is whatever the user chose to show. Only /user/emails says which ones GitHub has verified.
 */

#include "identity/oidc_token.h"

#include "identity/identity_claims.h"
#include "identity/json_input.h"

#define GITHUB_CLAIMS_MAX 5

struct claim_list {
	struct arena *arena;
	struct claim *items;
	size_t count;
};

/* In the order of names. */
static void add_claim(struct claim_list *list, struct str name, struct str value)
{
	struct str *copy;

	if (!value.len)
		return;
	copy = arena_alloc(list->arena, sizeof(*copy));
	*copy = arena_copy(list->arena, value);
	list->items[list->count++] =
		(struct claim){ .name = name, .values = copy, .value_count = 1 };
}

static struct str verified_address(const json_t *emails)
{
	for (size_t i = 0; i < json_array_size(emails); i++) {
		const json_t *item = json_array_get(emails, i);

		if (json_is_true(json_object_get(item, "primary")) &&
		    json_is_true(json_object_get(item, "verified")))
			return json_input_text(item, "email");
	}
	return STR("");
}

static int make_claims(const json_t *user, const json_t *emails, struct arena *arena,
		       struct claims *ret, struct err *e)
{
	struct claim_list list = {
		.arena = arena,
		.items = arena_alloc_array(arena, GITHUB_CLAIMS_MAX, sizeof(*list.items)),
	};
	struct str email = verified_address(emails);
	struct str login = json_input_text(user, "login");
	struct str name = json_input_text(user, "name");
	struct str id = json_input_text(user, "node_id");

	if (!user_id_is_valid(id))
		return err_set(e, ERR_PROTOCOL, "GitHub does not say who the user is (node_id)");
	add_claim(&list, STR("email"), email);
	add_claim(&list, STR("email_verified"), email.len ? STR("true") : STR(""));
	add_claim(&list, STR("login"), login);
	add_claim(&list, STR("name"), name.len ? name : login);
	add_claim(&list, STR("sub"), id);
	*ret = (struct claims){ .items = list.items, .count = list.count };
	return 0;
}

int github_claims_parse(struct str user, struct str emails, struct arena *arena, struct claims *ret,
			struct err *e)
{
	_cleanup_(json_decrefp) json_t *who = json_input_object(user, OIDC_RESPONSE_MAX, e);
	if (!who)
		return err_wrap(e, "the answer of GitHub to /user");
	_cleanup_(json_decrefp) json_t *addresses = json_input_list(emails, OIDC_RESPONSE_MAX, e);
	if (!addresses)
		return err_wrap(e, "the answer of GitHub to /user/emails");
	return make_claims(who, addresses, arena, ret, e);
}
