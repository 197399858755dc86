#pragma once

/*
 * route_state.h - what of a route outlives a reload: its counters, and how its targets fare
 *
 * A route of the same id (the same from and to) keeps its state from one snapshot to the next; so a reload neither resets a
 * figure nor forgets that a target is down or how many connections it has.
 *
 * Ownership  Reference counted: by the routes of snapshots, and by tunnels.
 * Threads    All members are atomic, without order among them.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/ref.h"

#define ROUTE_ID_LEN 16

struct target_state {
	atomic_uint connections; /* dials in progress and open tunnels */
	atomic_uint dials;       /* of these, those not connected yet */
	atomic_bool is_down;     /* what the health checks found */
};

struct route_state {
	struct ref ref;
	char id[ROUTE_ID_LEN + 1];
	atomic_uint next_target;       /* round robin */
	atomic_uint_fast64_t admitted; /* dials in progress and open tunnels */
	atomic_uint_fast64_t pending;  /* of these, those not connected yet */
	atomic_uint_fast64_t tunnels_active;
	atomic_uint_fast64_t tunnels_opened;
	atomic_uint_fast64_t
		bytes_received; /* from clients, of tunnels that have ended and as of the last count */
	atomic_uint_fast64_t bytes_sent;
	size_t target_count;
	struct target_state targets[];
};

struct route_state *route_state_new(const char *id, size_t target_count) MUST_CHECK;
struct route_state *route_state_ref(struct route_state *s);
void route_state_unref(struct route_state *s); /* NULL is ignored */
