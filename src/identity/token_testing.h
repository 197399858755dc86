#pragma once

/*
 * token_testing.h - an issuer for tests: keys, and tokens signed with them
 */

#include "base/arena.h"
#include "base/str.h"
#include "jose/jwks.h"
#include "jose/signing_key.h"

struct test_issuer {
	struct signing_keys *signer;
	struct jwks *keys;
};

/* The same name gives the same keys. */
void test_issuer_init(struct test_issuer *issuer, const char *name);
void test_issuer_done(struct test_issuer *issuer);

/* An ES256 token. */
struct str test_issuer_sign(const struct test_issuer *issuer, struct str payload,
			    struct arena *arena);

/* Any header, payload and signature, as they are. */
struct str test_token(struct str header, struct str payload, struct str signature,
		      struct arena *arena);
