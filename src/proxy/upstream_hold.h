#pragma once

/*
 * upstream_hold.h - what an exchange holds of the upstream side: a place among those that are counted, and the connection
 *
 * A place is taken before the first dial and counts against max_tunnels (gateway, route) and max_connections; until it is
 * connected, against max_pending as well. No limit is ever exceeded: of many workers that want the last place one gets it.
 *
 * Ownership  Embedded in struct exchange; upstream_release() is the one place where everything is given back.
 * Threads    That of the exchange; the counts are atomic.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/buf.h"
#include "proxy/route_state.h"

#define UPSTREAM_TEXT_MAX 288 /* a scheme, the longest name there is, a port */

struct config_target;
struct exchange;
struct route;
struct stream;

struct upstream_hold {
	struct route_state *state; /* referenced while there is a place; NULL: none */
	size_t target;             /* index among the targets of the exchange's route */
	bool has_target;
	bool is_pending;           /* not connected yet */
	struct stream *stream;     /* connected; until the relay takes it */
	struct addr address;       /* of who answered; unset for unix sockets */
	struct buf early;          /* what a proxy behind us sent after its 200 */
	uint64_t counted_received; /* of the tunnel's bytes, those that are in the state's count */
	uint64_t counted_sent;
};

enum upstream_admission {
	UPSTREAM_ADMITTED,
	UPSTREAM_TOO_MANY_TUNNELS,     /* max_tunnels of the gateway or the route */
	UPSTREAM_TOO_MANY_CONNECTIONS, /* circuit_breaker_thresholds */
};

/* Takes a place for x->route. */
enum upstream_admission upstream_admit(struct exchange *x);

/* The place is at this target now, and at no other. */
void upstream_hold_target(struct exchange *x, size_t target);

/* It is connected: a tunnel opens. */
void upstream_hold_opened(struct exchange *x);

/* Adds what an open tunnel has carried since the last time to the counts of its route. */
void upstream_count_bytes(struct exchange *x);

/* Gives everything back: the connection, the place; adds the bytes of the outcome to those of the route. Idempotent. */
void upstream_release(struct exchange *x);

/*
 * An exchange goes over to the route of a new snapshot; x->route is still the old one. True: its target is among the
 * targets of that route, and it is counted there from now on. False: it is not, and nothing has changed.
 */
bool upstream_keep(struct exchange *x, const struct route *route);

/* As it is told to the operator: "redis:6379", "[::1]:6379", "unix:/run/redis.sock", "https://proxy:8443". */
void upstream_target_format(const struct config_target *target, char out[UPSTREAM_TEXT_MAX]);

/* The address of who answered: "10.0.0.5:6379", "unix:/run/redis.sock"; empty: not connected. */
void upstream_address_format(const struct exchange *x, char out[UPSTREAM_TEXT_MAX]);
