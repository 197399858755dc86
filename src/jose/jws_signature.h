#pragma once

/*
 * jws_signature.h - the signatures of JSON Web Algorithms (RFC 7518, 8037); private to jose/
 */

#include <stdbool.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "jose/jwks.h"

/* What OpenSSL takes bounds the work for one signature. */
#define JWS_RSA_BITS_MIN 2048
#define JWS_RSA_BITS_MAX 8192

#define JWS_SIGNATURE_MAX (JWS_RSA_BITS_MAX / 8)

const char *jws_algorithm_name(enum jws_algorithm algorithm);

/* The ones that fit the key's type, and its curve: 1u << JWS_x; 0 for a key not to be used. */
uint32_t jws_algorithms_of(const EVP_PKEY *key);

/* The algorithm must be one of the key's. */
bool jws_signature_is_right(enum jws_algorithm algorithm, EVP_PKEY *key, struct str text,
			    struct str signature);
int jws_signature_make(enum jws_algorithm algorithm, EVP_PKEY *key, struct str text,
		       struct buf *out, struct err *e);
