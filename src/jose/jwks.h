#pragma once

/*
 * jwks.h - an issuer's public keys (RFC 7517) and the compact signatures they verify (RFC 7515, 7518, 8037)
 *
 * The algorithm is bound to the key: an RSA key verifies RS and PS, an EC key the ES of its curve, an OKP key EdDSA; a key
 * that names its "alg" verifies nothing else. "none" and shared keys (HS) do not exist here.
 *
 * Ownership  A key set is immutable after creation and reference counted, shared by all threads.
 * Limits     JWKS_TEXT_MAX, JWKS_KEYS_MAX; tokens: JWS_MAX.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define JWKS_TEXT_MAX (256u * 1024)
#define JWKS_KEYS_MAX 64

enum jws_algorithm {
	JWS_RS256,
	JWS_RS384,
	JWS_RS512,
	JWS_PS256,
	JWS_PS384,
	JWS_PS512,
	JWS_ES256,
	JWS_ES384,
	JWS_ES512,
	JWS_EDDSA,
	JWS_ALGORITHM_COUNT,
};

/* Exact, with regard to case. */
bool jws_algorithm_parse(struct str name, enum jws_algorithm *ret);

/* Sets of algorithms are bit masks, 1u << JWS_x. */
#define JWS_ALGORITHMS_ALL ((1u << JWS_ALGORITHM_COUNT) - 1)

struct jwks;

/*
 * Keys of unknown kinds, for encryption ("use": "enc"), RSA below 2048 or above 8192 bits and points off their curve are
 * left out; what is no key set, or has duplicate names in an object, is refused. An empty set is one.
 */
int jwks_parse(struct str json, struct jwks **ret, struct err *e);
struct jwks *jwks_ref(struct jwks *keys);
void jwks_unref(struct jwks *keys); /* NULL is ignored */
size_t jwks_count(const struct jwks *keys);

enum jwt_verdict {
	JWT_GENUINE,
	JWT_KEY_UNKNOWN, /* the set has no key for it: it may have been renewed */
	JWT_REFUSED,
};

/*
 * Verifies a compact JWS and appends its payload. Without a "kid" every key that fits is tried. A "crit" header and an
 * unencoded payload ("b64") are refused. e says why it is not genuine.
 */
enum jwt_verdict jwt_verify(const struct jwks *keys, uint32_t algorithms, struct str token,
			    struct buf *ret_payload, struct err *e);

/*
 * The payload without a look at the signature: only to find out whose token it may be, or for one of our own that was
 * verified before.
 */
int jwt_peek(struct str token, struct buf *ret_payload, struct err *e);
