#pragma once

/*
 * jwk.h - one public key of a set (RFC 7517, 7518 section 6, 8037); private to jose/
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/types.h>

#include "base/arena.h"
#include "base/str.h"

struct jwk {
	EVP_PKEY *key;
	struct str kid;
	bool has_kid;
	uint32_t algorithms; /* what it may verify: 1u << JWS_x, never 0 */
};

/* False, and *ret as it was, if the key is to be left out. kid is copied to the arena. */
bool jwk_read(const json_t *object, struct arena *arena, struct jwk *ret);
void jwk_done(struct jwk *jwk);
