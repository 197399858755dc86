#pragma once

/*
 * bearer_cache.h - what was found out about tokens of other issuers, so that nobody is asked at every request
 *
 * Ownership  Part of the control (control.h); sessions are referenced.
 * Threads    Any.
 * Limits     BEARER_GOOD_MAX and BEARER_BAD_MAX; the token used longest ago is forgotten. Bad ones never push out good ones.
 */

#include <stdint.h>

#include "jose/mac.h"

#define BEARER_GOOD_MAX 16384
#define BEARER_BAD_MAX  4096

struct bearer_cache;
struct session;

enum bearer_memory {
	BEARER_UNKNOWN,
	BEARER_GOOD,
	BEARER_BAD,
};

struct bearer_cache *bearer_cache_new(void);
void bearer_cache_free(struct bearer_cache *c); /* NULL is ignored */

/* The key is a digest of the token and of the rules it was held to. BEARER_GOOD comes with a reference. */
enum bearer_memory bearer_cache_find(struct bearer_cache *c, const uint8_t key[SHA256_SIZE],
				     struct session **ret);

/* Remembers it for so long. Without a session the token is bad. */
void bearer_cache_put(struct bearer_cache *c, const uint8_t key[SHA256_SIZE],
		      struct session *session, int64_t keep_s);
