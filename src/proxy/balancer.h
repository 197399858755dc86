#pragma once

/*
 * balancer.h - which of a route's targets comes next
 *
 * Round robin spreads targets by weight without runs of one. Least request takes the less busy of two that were drawn by
 * weight. The hashing policies keep a client at its target: they differ only in how the table is made, and with either one
 * few clients move when targets come or go.
 *
 * Targets that the health checks found down are passed over, unless so few are left that checking itself is to be doubted
 * (healthy_panic_threshold): then all count.
 *
 * Ownership  One per route and snapshot; immutable. What changes is in the route's state.
 * Threads    Any.
 * Limits     BALANCER_TABLE_MAX places in the table of a hashing policy.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "config/config.h"
#include "proxy/route_state.h"

#define BALANCER_TABLE_MAX 65521

struct balancer;

/* What a choice depends on, apart from the targets. */
struct balancer_facts {
	uint64_t key;       /* of who asks, for the hashing policies: balancer_key() */
	uint64_t random[2]; /* for the others */
	const bool *tried;  /* by index; these are not chosen again. NULL: none */
};

/* Keeps nothing of the configuration. */
struct balancer *balancer_new(const struct config_route *route);
void balancer_free(struct balancer *b); /* NULL is ignored */

/* The same for the same text in every process: several gateways choose alike. */
uint64_t balancer_key(struct str text);

/* False: there is none left. */
bool balancer_choose(const struct balancer *b, struct route_state *state,
		     const struct balancer_facts *facts, size_t *ret_index);
