/*
 * All weights together are at most WEIGHTS_MAX, so that sums and products of them fit.
 *
 * Round robin: turn n stands at place n * stride of a circle on which each target has an arc as long as its weight. The stride
 * is about the golden part of the circle and has no divisor in common with it: so within one round every place comes
 * exactly once, and neighbouring turns are far from each other. Nothing but the number of the turn is shared
 * between threads.
 */

#include "proxy/balancer.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "proxy/balancer_table.h"

#define WEIGHTS_MAX (1u << 30)

struct balancer {
	enum config_balancing policy;
	size_t count;
	uint64_t *weights;
	uint64_t total; /* of the weights */
	bool uses_health;
	unsigned panic_percent;
	struct balancer_table table; /* of the hashing policies */
};

/* Who may be chosen now. */
struct choice {
	const struct balancer *balancer;
	const struct route_state *state;
	const bool *tried;
	bool is_again; /* some were tried already */
	bool ignores_health;
	uint64_t total; /* weights of those that may be */
	size_t last;    /* one of them */
};

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
	while (b > 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* In lowest terms: 50 and 50 take turns like 1 and 1. */
static void reduce_weights(struct balancer *b)
{
	uint64_t divisor = b->weights[0];

	for (size_t i = 1; i < b->count; i++)
		divisor = greatest_common_divisor(divisor, b->weights[i]);
	b->total = 0;
	for (size_t i = 0; i < b->count; i++) {
		b->weights[i] /= divisor;
		b->total += b->weights[i];
	}
}

static void halve_weights(struct balancer *b)
{
	b->total = 0;
	for (size_t i = 0; i < b->count; i++) {
		b->weights[i] = (b->weights[i] + 1) / 2;
		b->total += b->weights[i];
	}
}

static void set_weights(struct balancer *b, const struct config_route *route)
{
	b->count = route->target_count;
	b->weights = mem_alloc_array(b->count, sizeof(*b->weights));
	for (size_t i = 0; i < b->count; i++)
		b->weights[i] = route->targets[i].is_weighted && route->targets[i].weight > 0
					? route->targets[i].weight
					: 1;
	reduce_weights(b);
	while (b->total > WEIGHTS_MAX)
		halve_weights(b);
}

struct balancer *balancer_new(const struct config_route *route)
{
	struct balancer *b = mem_alloc(sizeof(*b));

	b->policy = route->upstream.balancing;
	b->uses_health = route->upstream.check_count > 0;
	b->panic_percent = route->upstream.panic_percent;
	set_weights(b, route);
	if (b->count == 1)
		return b; /* there is nothing to look up */
	switch (b->policy) {
	case CONFIG_BALANCING_RING_HASH:
		balancer_table_ring(&b->table, route->targets, b->weights, b->count);
		break;
	case CONFIG_BALANCING_MAGLEV:
		balancer_table_maglev(&b->table, route->targets, b->weights, b->count);
		break;
	case CONFIG_BALANCING_ROUND_ROBIN:
	case CONFIG_BALANCING_LEAST_REQUEST:
	case CONFIG_BALANCING_RANDOM:
		break;
	}
	return b;
}

void balancer_free(struct balancer *b)
{
	if (!b)
		return;
	balancer_table_done(&b->table);
	mem_free(b->weights);
	mem_free(b);
}

uint64_t balancer_key(struct str text)
{
	static const uint64_t key[2] = { 0x706f6d657269756d, 0x62616c616e636572 };

	return siphash24(key, text);
}

static bool is_down(const struct choice *c, size_t i)
{
	return c->balancer->uses_health &&
	       atomic_load_explicit(&c->state->targets[i].is_down, memory_order_relaxed);
}

static bool may_choose(const struct choice *c, size_t i)
{
	return !(c->tried && c->tried[i]) && (c->ignores_health || !is_down(c, i));
}

static bool is_panic(const struct choice *c)
{
	size_t count = c->balancer->count;
	size_t up = 0;

	for (size_t i = 0; i < count; i++)
		up += !is_down(c, i);
	return (uint64_t)up * 100 < (uint64_t)c->balancer->panic_percent * count;
}

static void count_weights(struct choice *c)
{
	c->ignores_health = c->balancer->uses_health && is_panic(c);
	c->total = 0;
	for (size_t i = 0; i < c->balancer->count; i++) {
		c->is_again |= c->tried && c->tried[i];
		if (!may_choose(c, i))
			continue;
		c->total += c->balancer->weights[i];
		c->last = i;
	}
}

/*
 * Whose arc is at that place of the circle of those that may be chosen, but for one. Health checks go on meanwhile, on another
 * thread: where the circle has become shorter, it is one that was there when it was measured.
 */
static size_t target_at(const struct choice *c, uint64_t place, size_t but)
{
	for (size_t i = 0; i < c->balancer->count; i++) {
		if (i == but || !may_choose(c, i))
			continue;
		if (place < c->balancer->weights[i])
			return i;
		place -= c->balancer->weights[i];
	}
	return c->last;
}

static uint64_t stride_of(uint64_t total)
{
	uint64_t stride = total * 618 / 1000;

	if (stride == 0)
		return 1;
	while (greatest_common_divisor(stride, total) != 1)
		stride++; /* total - 1 has none in common with total */
	return stride;
}

/*
 * A second choice for the same client takes no turn: with two targets, one of them out of order, every client would begin with
 * that one otherwise.
 */
static size_t next_in_turn(const struct choice *c, struct route_state *state)
{
	uint64_t turn = c->is_again
				? atomic_load_explicit(&state->next_target, memory_order_relaxed)
				: atomic_fetch_add_explicit(&state->next_target, 1,
							    memory_order_relaxed);

	return target_at(c, turn % c->total * stride_of(c->total) % c->total, SIZE_MAX);
}

/* By what each carries for its weight; of two that carry alike the one that was drawn first wins. */
static bool is_busier(const struct choice *c, size_t a, size_t b)
{
	const struct target_state *targets = c->state->targets;
	uint64_t load_a = atomic_load_explicit(&targets[a].connections, memory_order_relaxed);
	uint64_t load_b = atomic_load_explicit(&targets[b].connections, memory_order_relaxed);

	return load_a * c->balancer->weights[b] > load_b * c->balancer->weights[a];
}

static size_t less_busy_of_two(const struct choice *c, const uint64_t random[2])
{
	size_t first = target_at(c, random[0] % c->total, SIZE_MAX);
	uint64_t others = c->total - c->balancer->weights[first];
	size_t second;

	if (others == 0)
		return first;
	second = target_at(c, random[1] % others, first);
	return is_busier(c, first, second) ? second : first;
}

/* From the place of the key on, the first that may be chosen. There is one. */
static size_t next_in_table(const struct choice *c, uint64_t key)
{
	const struct balancer_table *table = &c->balancer->table;
	size_t start = table->count > 0 ? balancer_table_find(table, key) : 0;

	for (size_t i = 0; i < table->count; i++) {
		size_t target = table->places[(start + i) % table->count].target;

		if (may_choose(c, target))
			return target;
	}
	/* There is no table, or so many targets or weights so unlike that this one has no place in it. */
	return target_at(c, key % c->total, SIZE_MAX);
}

bool balancer_choose(const struct balancer *b, struct route_state *state,
		     const struct balancer_facts *facts, size_t *ret_index)
{
	struct choice c = { .balancer = b, .state = state, .tried = facts->tried };

	count_weights(&c);
	if (c.total == 0)
		return false;
	switch (b->policy) {
	case CONFIG_BALANCING_ROUND_ROBIN:
		*ret_index = next_in_turn(&c, state);
		return true;
	case CONFIG_BALANCING_LEAST_REQUEST:
		*ret_index = less_busy_of_two(&c, facts->random);
		return true;
	case CONFIG_BALANCING_RANDOM:
		*ret_index = target_at(&c, facts->random[0] % c.total, SIZE_MAX);
		return true;
	case CONFIG_BALANCING_RING_HASH:
	case CONFIG_BALANCING_MAGLEV:
		*ret_index = next_in_table(&c, facts->key);
		return true;
	}
	return false;
}
