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

#include "base/buf.h"
#include "base/mem.h"

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

void hkdf_sha256(struct str key, struct str info, uint8_t *out, size_t out_len)
{
	_cleanup_(buf_done_secret) struct buf block = BUF_INIT(HMAC_SHA256_SIZE + info.len + 1);
	uint8_t extracted[HMAC_SHA256_SIZE];
	uint8_t expanded[HMAC_SHA256_SIZE];

	assert(out_len <= 255u * HMAC_SHA256_SIZE);
	/* No salt is one of zeros, and so is the empty key, filled up. */
	hmac_sha256(STR(""), key, extracted);
	for (size_t done = 0, count = 1; done < out_len; done += HMAC_SHA256_SIZE, count++) {
		size_t left = out_len - done;

		/* The maximum of block is the sum of these. */
		(void)buf_append_str(&block, info);
		(void)buf_append_char(&block, (char)count);
		hmac_sha256(str_of(extracted, sizeof(extracted)), buf_view(&block), expanded);
		memcpy(out + done, expanded, left < HMAC_SHA256_SIZE ? left : HMAC_SHA256_SIZE);
		buf_truncate(&block, 0);
		(void)buf_append(&block, expanded, sizeof(expanded));
	}
	mem_wipe(extracted, sizeof(extracted));
	mem_wipe(expanded, sizeof(expanded));
}
