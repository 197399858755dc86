/*
 * oidc_identity.c - from claims to whom they describe
 *
 * What is uncertain is left out rather than guessed: of an address with two '@', with several values, or that the provider
 * does not vouch for, nothing is taken, so no rule about e-mail addresses can be met with it.
 */

#include "identity/identity_claims.h"

#include "identity/local_users.h"
#include "identity/oidc_token.h"

bool user_id_is_valid(struct str id)
{
	if (!id.len || id.len > USER_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		uint8_t c = (uint8_t)id.at[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	return true;
}

/* Some providers say it in text. Whatever is said and is not "true" counts as false. */
static bool is_vouched_for(const struct claims *claims, bool needs_proof)
{
	if (!claims_find(claims, STR("email_verified")))
		return !needs_proof;
	return str_equal_nocase(claims_text(claims, STR("email_verified")), STR("true"));
}

static bool has_value(const struct claims *claims, struct str name)
{
	const struct claim *claim = claims_find(claims, name);

	return claim &&
	       !(claim->value_count == 0 || (claim->value_count == 1 && claim->values[0].len == 0));
}

struct str identity_email(const struct claims *claims, bool needs_proof)
{
	struct str name = has_value(claims, STR("email")) ? STR("email") : STR("mail");
	struct str email = claims_text(claims, name);

	return email_is_valid(email) && is_vouched_for(claims, needs_proof) ? email : STR("");
}

int identity_fill(const struct claims *claims, bool needs_proof, struct identity *ret,
		  struct err *e)
{
	const struct claim *groups = claims_find(claims, STR("groups"));

	if (groups && groups->value_count > IDENTITY_GROUPS_MAX)
		return err_set(e, ERR_LIMIT, "the user is in more than %d groups",
			       IDENTITY_GROUPS_MAX);
	ret->email = identity_email(claims, needs_proof);
	ret->name = claims_text(claims, STR("name"));
	ret->groups = groups ? groups->values : NULL;
	ret->group_count = groups ? groups->value_count : 0;
	ret->claims = *claims;
	return 0;
}

int oidc_identity(const struct claims *claims, struct arena *arena, struct identity *ret,
		  struct err *e)
{
	bool has_object_id = claims_find(claims, STR("oid")) != NULL;
	struct identity who = {
		.user_id = claims_text(claims, has_object_id ? STR("oid") : STR("sub")),
	};

	if (!user_id_is_valid(who.user_id))
		return err_set(e, ERR_PROTOCOL,
			       "the identity provider does not say who the user is (\"%s\")",
			       has_object_id ? "oid" : "sub");
	if (identity_fill(claims, false, &who, e))
		return -1;
	*ret = who;
	return 0;
}
