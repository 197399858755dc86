#pragma once

/*
 * jwks_private.h - what a key set is made of; private to jose/
 */

#include "base/arena.h"
#include "base/ref.h"
#include "jose/jwk.h"
#include "jose/jwks.h"

struct jwks {
	struct ref ref;
	struct arena arena;
	size_t count;
	struct jwk keys[JWKS_KEYS_MAX];
};
