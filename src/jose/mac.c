/*
 * mac.c - one call of OpenSSL each
 *
 * With the algorithms of the default provider and buffers of the right size the calls cannot
 * fail; if they do, no answer is safe and the program stops.
 */

#include "jose/mac.h"

#include <assert.h>
#include <limits.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

static void digest(const EVP_MD *kind, struct str data, uint8_t *out, unsigned size)
{
	unsigned made = 0;
	int ok = EVP_Digest(data.len ? data.at : "", data.len, out, &made, kind, NULL);

	assert(ok == 1 && made == size);
}

static void hmac(const EVP_MD *kind, struct str key, struct str data, uint8_t *out, unsigned size)
{
	const uint8_t *text = (const uint8_t *)(data.len ? data.at : "");
	unsigned made = 0;

	assert(key.len <= INT_MAX);

	const uint8_t *mac = HMAC(kind, key.len ? key.at : "", (int)key.len, text, data.len, out,
				  &made);

	assert(mac && made == size);
}

void digest_sha1(struct str data, uint8_t out[SHA1_SIZE])
{
	digest(EVP_sha1(), data, out, SHA1_SIZE);
}

void digest_sha256(struct str data, uint8_t out[SHA256_SIZE])
{
	digest(EVP_sha256(), data, out, SHA256_SIZE);
}

void hmac_sha256(struct str key, struct str data, uint8_t out[HMAC_SHA256_SIZE])
{
	hmac(EVP_sha256(), key, data, out, HMAC_SHA256_SIZE);
}

void hmac_sha512_256(struct str key, struct str data, uint8_t out[HMAC_SHA512_256_SIZE])
{
	hmac(EVP_sha512_256(), key, data, out, HMAC_SHA512_256_SIZE);
}
