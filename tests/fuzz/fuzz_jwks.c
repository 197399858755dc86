/*
 * fuzz_jwks.c - an issuer's answer is a key set, or refused with a reason
 *
 * Properties: a set has no more keys than it may; whatever keys it has, none of them vouches for a token that was signed
 * with one it does not have; and OpenSSL's queue of errors stays empty for those who look there.
 */

#include <assert.h>

#include <openssl/err.h>

#include "jose/jwks.h"
#include "jose/jws.h"
#include "tests/fuzz/fuzz.h"

/* One of each kind; the signatures are of the right size and nobody's. */
static const char *const headers[] = {
	"eyJhbGciOiJFUzI1NiJ9",               /* ES256 */
	"eyJhbGciOiJFZERTQSJ9",               /* EdDSA */
	"eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ", /* with the "kid" 1 */
};

#define SIGNATURE                                                                                  \
	"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"     \
	"AQ"

static void check_no_voucher(const struct jwks *keys, const char *header)
{
	struct buf token = BUF_INIT(JWS_MAX);
	struct buf payload = BUF_INIT(JWS_MAX);
	struct err e = { 0 };
	enum jwt_verdict verdict;

	assert(buf_printf(&token, "%s.e30.%s", header, SIGNATURE) == 0);
	verdict = jwt_verify(keys, JWS_ALGORITHMS_ALL, buf_view(&token), &payload, &e);
	assert(verdict == JWT_REFUSED || verdict == JWT_KEY_UNKNOWN);
	assert(jwks_count(keys) > 0 || verdict == JWT_KEY_UNKNOWN);
	assert(payload.len == 0 && e.text[0]);
	buf_done(&token);
	buf_done(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jwks *keys = NULL;
	struct err e = { 0 };
	int result = jwks_parse(str_of(data, size), &keys, &e);

	assert((result == 0) == (keys != NULL));
	assert(result == 0 || e.text[0]);
	if (keys) {
		assert(jwks_count(keys) <= JWKS_KEYS_MAX);
		for (size_t i = 0; i < ARRAY_LEN(headers); i++)
			check_no_voucher(keys, headers[i]);
	}
	assert(ERR_peek_error() == 0);
	jwks_unref(keys);
	return 0;
}
