#include "identity/token_testing.h"

#include <assert.h>

#include "base/codec.h"
#include "jose/jws.h"
#include "jose/mac.h"

void test_issuer_init(struct test_issuer *issuer, const char *name)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWKS_TEXT_MAX);
	uint8_t secret[SHA256_SIZE];

	digest_sha256(str_from(name), secret);
	assert(signing_keys_derive(str_of(secret, sizeof(secret)), &issuer->signer, NULL) == 0);
	signing_keys_write_jwks(issuer->signer, &text);
	assert(jwks_parse(buf_view(&text), &issuer->keys, NULL) == 0);
}

void test_issuer_done(struct test_issuer *issuer)
{
	signing_keys_unref(issuer->signer);
	jwks_unref(issuer->keys);
}

struct str test_issuer_sign(const struct test_issuer *issuer, struct str payload,
			    struct arena *arena)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(4 * JWS_MAX);

	assert(signing_keys_sign(issuer->signer, payload, &token, NULL) == 0);
	return arena_copy(arena, buf_view(&token));
}

struct str test_token(struct str header, struct str payload, struct str signature,
		      struct arena *arena)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(4 * JWS_MAX);

	assert(base64_encode(&token, BASE64_URL, header.at, header.len) == 0);
	assert(buf_append_char(&token, '.') == 0);
	assert(base64_encode(&token, BASE64_URL, payload.at, payload.len) == 0);
	assert(buf_append_char(&token, '.') == 0);
	assert(base64_encode(&token, BASE64_URL, signature.at, signature.len) == 0);
	return arena_copy(arena, buf_view(&token));
}
