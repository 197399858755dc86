/*
 * fuzz_jwt.c - an input is taken as a token, as the header of one, and as the payload of one that is signed right
 *
 * Properties: nothing is genuine that was not signed here; a signed payload comes back as it was, and only with its own
 * algorithm allowed; what can be verified can be looked into.
 */

#include <assert.h>

#include "base/codec.h"
#include "jose/jwks.h"
#include "jose/jws.h"
#include "jose/signing_key.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 65536

struct issuer {
	struct signing_keys *signer;
	struct jwks *keys;
};

static void issuer_init(struct issuer *issuer, struct str secret)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct err e;

	assert(signing_keys_derive(secret, &issuer->signer, &e) == 0);
	signing_keys_write_jwks(issuer->signer, &text);
	assert(jwks_parse(buf_view(&text), &issuer->keys, &e) == 0);
	assert(jwks_count(issuer->keys) == 1);
	buf_done(&text);
}

static void issuer_done(struct issuer *issuer)
{
	jwks_unref(issuer->keys);
	signing_keys_unref(issuer->signer);
}

static enum jwt_verdict verify(const struct issuer *issuer, uint32_t algorithms, struct str token,
			       struct buf *payload)
{
	struct err e = { 0 };
	enum jwt_verdict verdict = jwt_verify(issuer->keys, algorithms, token, payload, &e);

	assert(verdict == JWT_GENUINE || (payload->len == 0 && e.text[0]));
	return verdict;
}

static void check_as_token(const struct issuer *issuer, struct str input)
{
	struct buf payload = BUF_INIT(JWS_MAX);
	struct err e = { 0 };

	assert(verify(issuer, JWS_ALGORITHMS_ALL, input, &payload) != JWT_GENUINE);
	assert(jwt_peek(input, &payload, &e) == 0 || (payload.len == 0 && e.text[0]));
	buf_done(&payload);
}

static void check_as_header(const struct issuer *issuer, struct str input)
{
	struct buf token = BUF_INIT(TEXT_MAX);

	if (base64_encode(&token, BASE64_URL, input.at, input.len) == 0 &&
	    buf_append_str(&token, STR(".e30.AAAA")) == 0)
		check_as_token(issuer, buf_view(&token));
	buf_done(&token);
}

static void check_as_payload(const struct issuer *issuer, struct str input)
{
	struct buf token = BUF_INIT(JWS_MAX);
	struct buf payload = BUF_INIT(JWS_MAX);
	uint32_t own = 1u << JWS_ES256;
	struct err e = { 0 };

	/* It may be empty, or too long. */
	if (signing_keys_sign(issuer->signer, input, &token, &e) == 0) {
		assert(verify(issuer, JWS_ALGORITHMS_ALL & ~own, buf_view(&token), &payload) ==
		       JWT_REFUSED);
		assert(verify(issuer, own, buf_view(&token), &payload) == JWT_GENUINE);
		assert(str_equal(buf_view(&payload), input));
		buf_truncate(&payload, 0);
		assert(jwt_peek(buf_view(&token), &payload, &e) == 0);
		assert(str_equal(buf_view(&payload), input));
	} else {
		assert(token.len == 0 && e.text[0]);
	}
	buf_done(&token);
	buf_done(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct issuer issuer;

	issuer_init(&issuer, STR("what a fuzzer cannot sign with"));
	check_as_token(&issuer, input);
	check_as_header(&issuer, input);
	check_as_payload(&issuer, input);
	issuer_done(&issuer);
	return 0;
}
