/*
 * Every count goes up here and down here. A place is in three counts (gateway, route, target) from its admission to its
 * release, and in a fourth while it is pending; a tunnel that goes over to another snapshot takes all of them along.
 */

#include "proxy/upstream_hold.h"

#include <assert.h>
#include <stdio.h>

#include "base/url.h"
#include "io/relay.h"
#include "io/stream.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

static atomic_uint_fast64_t *gateway_tunnels(const struct exchange *x)
{
	return &x->worker->shared.control->admission.tunnels;
}

static void add_one(atomic_uint_fast64_t *count)
{
	(void)atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static void drop_one(atomic_uint_fast64_t *count)
{
	uint64_t before = atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);

	assert(before > 0);
}

static void drop_one_unsigned(atomic_uint *count)
{
	unsigned before = atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);

	assert(before > 0);
}

/* Of several threads that want the last one, one gets it, and none is turned away by another's attempt. */
static bool take_below(atomic_uint_fast64_t *count, uint64_t limit)
{
	uint_fast64_t now = atomic_load_explicit(count, memory_order_relaxed);

	do {
		if (now >= limit)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(count, &now, now + 1, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

enum upstream_admission upstream_admit(struct exchange *x)
{
	const struct config_route *route = x->route->config;
	const struct config_breakers *breakers = &route->upstream.breakers;
	uint64_t max_tunnels = route->lifetime.max_tunnels;
	struct route_state *state = x->route->state;

	assert(!x->upstream.state);
	if (!take_below(gateway_tunnels(x), x->snapshot->config->limits.max_tunnels))
		return UPSTREAM_TOO_MANY_TUNNELS;
	if (!take_below(&state->admitted, smaller(max_tunnels, breakers->max_connections))) {
		drop_one(gateway_tunnels(x));
		return max_tunnels <= breakers->max_connections ? UPSTREAM_TOO_MANY_TUNNELS
								: UPSTREAM_TOO_MANY_CONNECTIONS;
	}
	if (!take_below(&state->pending, breakers->max_pending)) {
		drop_one(&state->admitted);
		drop_one(gateway_tunnels(x));
		return UPSTREAM_TOO_MANY_CONNECTIONS;
	}
	x->upstream.state = route_state_ref(state);
	x->upstream.is_pending = true;
	return UPSTREAM_ADMITTED;
}

static void enter_target(const struct upstream_hold *hold)
{
	struct target_state *target;

	if (!hold->has_target)
		return;
	target = &hold->state->targets[hold->target];
	(void)atomic_fetch_add_explicit(&target->connections, 1, memory_order_relaxed);
	if (hold->is_pending)
		(void)atomic_fetch_add_explicit(&target->dials, 1, memory_order_relaxed);
}

static void leave_target(const struct upstream_hold *hold)
{
	struct target_state *target;

	if (!hold->has_target)
		return;
	target = &hold->state->targets[hold->target];
	drop_one_unsigned(&target->connections);
	if (hold->is_pending)
		drop_one_unsigned(&target->dials);
}

void upstream_hold_target(struct exchange *x, size_t target)
{
	struct upstream_hold *hold = &x->upstream;

	assert(hold->state && hold->is_pending && target < hold->state->target_count);
	leave_target(hold);
	hold->target = target;
	hold->has_target = true;
	enter_target(hold);
}

void upstream_hold_opened(struct exchange *x)
{
	struct upstream_hold *hold = &x->upstream;

	assert(hold->is_pending && hold->has_target);
	leave_target(hold);
	drop_one(&hold->state->pending);
	hold->is_pending = false;
	enter_target(hold);
	add_one(&hold->state->tunnels_active);
	add_one(&hold->state->tunnels_opened);
}

static void leave_state(const struct upstream_hold *hold)
{
	leave_target(hold);
	drop_one(hold->is_pending ? &hold->state->pending : &hold->state->tunnels_active);
	drop_one(&hold->state->admitted);
}

/* received, sent: all there ever were of this tunnel. */
static void count_bytes(struct upstream_hold *hold, uint64_t received, uint64_t sent)
{
	(void)atomic_fetch_add_explicit(&hold->state->bytes_received,
					received - hold->counted_received, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&hold->state->bytes_sent, sent - hold->counted_sent,
					memory_order_relaxed);
	hold->counted_received = received;
	hold->counted_sent = sent;
}

void upstream_count_bytes(struct exchange *x)
{
	struct relay_result counts;

	if (!x->relay || !x->upstream.state)
		return;
	relay_counts(x->relay, &counts);
	count_bytes(&x->upstream, x->outcome.bytes_received + counts.bytes_from_a,
		    x->outcome.bytes_sent + counts.bytes_from_b);
}

void upstream_release(struct exchange *x)
{
	struct upstream_hold *hold = &x->upstream;

	stream_close(TAKE(hold->stream), STREAM_CLOSE_NORMAL);
	buf_done(&hold->early);
	if (!hold->state)
		return;
	leave_state(hold);
	drop_one(gateway_tunnels(x));
	if (!hold->is_pending)
		count_bytes(hold, x->outcome.bytes_received, x->outcome.bytes_sent);
	hold->has_target = false;
	route_state_unref(TAKE(hold->state));
}

static bool is_same_target(const struct config_target *a, const struct config_target *b)
{
	if (a->hop != b->hop || a->port != b->port)
		return false;
	return a->hop == CONFIG_HOP_UNIX ? str_equal(a->host, b->host) /* a path */
					 : str_equal_nocase(a->host, b->host);
}

static bool find_target(const struct route *route, const struct config_target *target, size_t *ret)
{
	for (size_t i = 0; i < route->config->target_count; i++) {
		if (is_same_target(&route->config->targets[i], target)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool upstream_keep(struct exchange *x, const struct route *route)
{
	struct upstream_hold *hold = &x->upstream;
	struct upstream_hold there = *hold;

	if (!hold->state || !hold->has_target)
		return true;
	if (!find_target(route, &x->route->config->targets[hold->target], &there.target))
		return false;
	if (hold->state == route->state && hold->target == there.target)
		return true;
	there.state = route_state_ref(route->state);
	add_one(&there.state->admitted);
	add_one(there.is_pending ? &there.state->pending : &there.state->tunnels_active);
	enter_target(&there);
	leave_state(hold);
	route_state_unref(hold->state);
	*hold = there;
	return true;
}

void upstream_target_format(const struct config_target *target, char out[UPSTREAM_TEXT_MAX])
{
	static const char *const schemes[] = {
		[CONFIG_HOP_TCP] = "",
		[CONFIG_HOP_UNIX] = "unix:",
		[CONFIG_HOP_HTTP_PROXY] = "http://",
		[CONFIG_HOP_HTTPS_PROXY] = "https://",
		[CONFIG_HOP_UDP] = "udp://",
	};
	bool has_colon = str_find(target->host, ':') < target->host.len;
	struct str host = str_first(target->host, HOST_NAME_MAX_LEN);

	if (target->hop == CONFIG_HOP_UNIX)
		(void)snprintf(out, UPSTREAM_TEXT_MAX, "unix:%.*s", STR_FMT(host));
	else
		(void)snprintf(out, UPSTREAM_TEXT_MAX, has_colon ? "%s[%.*s]:%u" : "%s%.*s:%u",
			       schemes[target->hop], STR_FMT(host), (unsigned)target->port);
}

void upstream_address_format(const struct exchange *x, char out[UPSTREAM_TEXT_MAX])
{
	const struct upstream_hold *hold = &x->upstream;
	const struct config_target *target;

	out[0] = '\0';
	if (!hold->has_target || hold->is_pending)
		return;
	target = &x->route->config->targets[hold->target];
	if (target->hop == CONFIG_HOP_UNIX)
		upstream_target_format(target, out);
	else
		addr_format(&hold->address, out);
}
