/*
 * fuzz_session_token.c - an input is taken as a token, then as the payload of one that is signed
 * right
 *
 * Properties: no token is accepted that was not signed here; a signed payload comes back as it
 * was; a token that was read names a session, and issued again it is read the same.
 */

#include <assert.h>

#include "jose/jws.h"
#include "session/session_token.h"
#include "tests/fuzz/fuzz.h"

#define KEY STR("0123456789abcdef0123456789abcdef")

static void check_as_token(struct str input)
{
	struct arena arena = { 0 };
	struct session_token token;
	struct err e;

	assert(session_token_read(KEY, input, &arena, &token, &e) != 0);
	arena_done(&arena);
}

static void check_issued_again(const struct session_token *token, struct arena *arena)
{
	struct buf text = BUF_INIT(JWS_MAX);
	struct session_token again;
	struct err e;

	/* Escaping may make it too long. */
	if (session_token_issue(KEY, token, &text, &e) == 0) {
		assert(session_token_read(KEY, buf_view(&text), arena, &again, &e) == 0);
		assert(str_equal(again.session_id, token->session_id));
		assert(str_equal(again.user_id, token->user_id));
		assert(str_equal(again.idp_id, token->idp_id));
	}
	buf_done(&text);
}

static void check_as_payload(struct str input)
{
	struct arena arena = { 0 };
	struct buf text = BUF_INIT(JWS_MAX);
	struct buf payload = BUF_INIT(JWS_MAX);
	struct session_token token;
	struct err e;

	if (jws_sign_hs256(KEY, input, &text, &e) == 0) {
		assert(jws_verify_hs256(KEY, buf_view(&text), &payload, &e) == 0);
		assert(str_equal(buf_view(&payload), input));
		if (session_token_read(KEY, buf_view(&text), &arena, &token, &e) == 0) {
			assert(token.session_id.len > 0);
			check_issued_again(&token, &arena);
		}
	}
	buf_done(&text);
	buf_done(&payload);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);

	check_as_token(input);
	check_as_payload(input);
	return 0;
}
