#pragma once

/*
 * jwk_testing.h - keys and tokens for tests, made with OpenSSL and not with what is tested
 *
 * Every function ends the test program if it cannot do what it is asked for.
 */

#include <openssl/types.h>

#include "base/buf.h"
#include "base/str.h"
#include "jose/jwks.h"

/* type as OpenSSL names it; size is the bits of an RSA key, the curve of an EC key, else NULL. */
EVP_PKEY *jwk_testing_key(const char *type, const char *size);

/* The same for the kinds of RSA: always the same key. */
EVP_PKEY *jwk_testing_rsa(const char *type, const char *size);

/* Appends a private key (PKCS #8): a fresh one, unless of a kind of RSA. */
void jwk_testing_pem(const char *type, const char *size, struct buf *out);
void jwk_testing_der(const char *type, const char *size, struct buf *out);

/* Appends the members of the public key that its kind needs, without braces. */
void jwk_testing_members(EVP_PKEY *key, struct buf *out);

/* Appends a token with that header. */
void jwk_testing_sign(EVP_PKEY *key, enum jws_algorithm algorithm, struct str header,
		      struct str payload, struct buf *out);
