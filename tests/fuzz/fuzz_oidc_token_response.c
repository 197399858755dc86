/*
 * fuzz_oidc_token_response.c - an input is taken as the answer of a token endpoint, as an error, as that of a userinfo
 * endpoint, and, cut at its first line, as both answers of GitHub
 *
 * Properties: tokens that were accepted can stand in a header; a body that grants tokens refuses nothing; the text of an
 * error is printable and no answer is one for good when the provider is merely busy.
 */

#include <assert.h>

#include "identity/oidc_token.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1700000000

static void check_token(struct str token)
{
	assert(token.len <= OIDC_TOKEN_MAX && str_is_printable_ascii(token));
	assert(str_find(token, ' ') == token.len);
}

static void check_tokens(struct str input, struct arena *arena)
{
	struct oidc_tokens tokens;
	struct err e;

	if (oidc_tokens_parse(input, NOW, arena, &tokens, &e))
		return;
	assert(tokens.access_token.len > 0);
	check_token(tokens.access_token);
	check_token(tokens.refresh_token);
	check_token(tokens.id_token);
	assert(tokens.access_expires_unix == 0 || tokens.access_expires_unix >= NOW);
	assert(!oidc_error_is_definitive(200, input, &e));
	assert(!oidc_error_is_definitive(400, input, &e));
}

static void check_errors(struct str input)
{
	static const int busy[] = { 0, 302, 404, 408, 429, 500, 502, 503 };
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(busy); i++)
		assert(!oidc_error_is_definitive(busy[i], input, &e));
	(void)oidc_error_is_definitive(401, input, &e); /* either is fine */
	assert(str_is_printable_ascii(str_from(e.text)));
}

static void check_claims(struct str input, struct arena *arena)
{
	struct str emails = input;
	struct identity who;
	struct claims claims;
	struct str user;
	struct err e;

	if (oidc_userinfo_parse(input, STR("u1"), arena, &claims, &e) == 0)
		assert(claims_find(&claims, STR("sub")));
	(void)str_cut(&emails, '\n', &user); /* there is always a first line */
	if (github_claims_parse(user, emails, arena, &claims, &e) == 0)
		assert(oidc_identity(&claims, arena, &who, &e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct arena arena = { 0 };

	check_tokens(input, &arena);
	check_errors(input);
	check_claims(input, &arena);
	arena_done(&arena);
	return 0;
}
