#pragma once

/*
 * mac.h - digests and message authentication codes
 */

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SHA1_SIZE            20
#define SHA256_SIZE          32
#define HMAC_SHA256_SIZE     32
#define HMAC_SHA512_256_SIZE 32

void digest_sha1(struct str data, uint8_t out[SHA1_SIZE]); /* for UUIDv5 only */
void digest_sha256(struct str data, uint8_t out[SHA256_SIZE]);
void hmac_sha256(struct str key, struct str data, uint8_t out[HMAC_SHA256_SIZE]);

/*
 * HMAC with the SHA-512/256 of FIPS 180-4, which is not a truncated HMAC-SHA-512 (protocol.md
 * 3.2).
 */
void hmac_sha512_256(struct str key, struct str data, uint8_t out[HMAC_SHA512_256_SIZE]);

/*
 * HKDF-SHA256 without salt (RFC 5869): out_len bytes, at most 255 * 32, for that purpose and no other.
 */
void hkdf_sha256(struct str key, struct str info, uint8_t *out, size_t out_len);
