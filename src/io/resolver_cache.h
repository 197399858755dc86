#pragma once

/*
 * resolver_cache.h - answers of the resolver until their time is over; for resolver.c only
 *
 * Limits     RESOLVER_CACHE_MAX names; the oldest answer makes room.
 */

#include "base/list.h"
#include "base/map.h"
#include "io/resolver.h"

struct resolver_cache {
	struct map by_key;  /* host and family */
	struct list by_age; /* the oldest first */
};

void resolver_cache_init(struct resolver_cache *c);
void resolver_cache_done(struct resolver_cache *c);

/* The answer, valid until the next put, or NULL. */
const struct resolver_answer *resolver_cache_get(struct resolver_cache *c, struct str host,
						 int family, uint64_t now_ms);
void resolver_cache_put(struct resolver_cache *c, struct str host, int family,
			const struct resolver_answer *answer, uint64_t until_ms);
