/*
 * fuzz_claims.c - an input is taken as the claims of somebody
 *
 * Properties: claims that were accepted are sorted, without two alike and within their limits; written and read again they
 * are the same; laid over themselves likewise; whoever they describe has an id, and no address or a valid one.
 */

#include <assert.h>

#include "identity/local_users.h"
#include "identity/oidc_token.h"
#include "tests/fuzz/fuzz.h"

static void check_limits(const struct claims *claims)
{
	size_t values = 0;
	size_t text = 0;

	assert(claims->count <= CLAIMS_MAX);
	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->items[i];

		assert(i == 0 || str_compare(claims->items[i - 1].name, claim->name) < 0);
		assert(claims_find(claims, claim->name) == claim);
		text += claim->name.len;
		values += claim->value_count;
		for (size_t v = 0; v < claim->value_count; v++)
			text += claim->values[v].len;
	}
	assert(values <= CLAIM_VALUES_MAX && text <= CLAIMS_TEXT_MAX);
}

static void check_same(const struct claims *a, const struct claims *b)
{
	assert(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert(str_equal(a->items[i].name, b->items[i].name));
		assert(a->items[i].value_count == b->items[i].value_count);
		for (size_t v = 0; v < a->items[i].value_count; v++)
			assert(str_equal(a->items[i].values[v], b->items[i].values[v]));
	}
}

static void check_copies(const struct claims *claims, struct arena *arena)
{
	struct buf text = BUF_INIT(CLAIMS_JSON_MAX);
	struct claims again;
	struct err e;

	assert(claims_write(claims, &text) == 0);
	assert(claims_parse(buf_view(&text), arena, &again, &e) == 0);
	check_same(claims, &again);
	assert(claims_overlay(claims, claims, arena, &again, &e) == 0);
	check_same(claims, &again);
	claims_copy(claims, arena, &again);
	check_same(claims, &again);
	buf_done(&text);
}

static void check_identity(const struct claims *claims, struct arena *arena)
{
	struct identity who;
	struct err e;

	if (oidc_identity(claims, arena, &who, &e))
		return;
	assert(who.user_id.len > 0 && who.group_count <= IDENTITY_GROUPS_MAX);
	assert(who.email.len == 0 || email_is_valid(who.email));
	assert(oidc_id_token_expiry(claims) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct claims claims;
	struct err e;

	if (claims_parse(str_of(data, size), &arena, &claims, &e) == 0) {
		check_limits(&claims);
		check_copies(&claims, &arena);
		check_identity(&claims, &arena);
	}
	arena_done(&arena);
	return 0;
}
