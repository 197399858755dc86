/*
 * Ring: every target has points on a circle of hashes, as many as its weight asks for; a key belongs to the next point. Maglev
 * (Eisenbud et al., 2016, section 3.4): every target has an order of preference over the places of a table, and in turns, by weight,
 * each takes the first of its places that is still free; the table is more even than the ring for its size.
 *
 * Points and orders depend on a target's own name only, so what other targets there are moves few keys. A target that is twice in
 * the list has the same points twice: it is one.
 */

#include "proxy/balancer_table.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/balancer.h"

#define PLACES_PER_TARGET 160
#define PLACES_MIN        1024
#define NAME_MAX_LEN      512

/* What the target is, and the number of the point. */
static uint64_t hash_of(const struct config_target *target, size_t number)
{
	struct buf name = BUF_INIT(NAME_MAX_LEN);
	uint64_t hash;

	(void)buf_printf(&name, "%d %.*s:%u %zu", (int)target->hop,
			 STR_FMT(str_first(target->host, NAME_MAX_LEN / 2)), (unsigned)target->port,
			 number);
	hash = balancer_key(buf_view(&name));
	buf_done(&name);
	return hash;
}

static uint64_t sum_of(const uint64_t *weights, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += weights[i];
	return total;
}

static size_t size_for(size_t count)
{
	size_t size = count < BALANCER_TABLE_MAX / PLACES_PER_TARGET ? count * PLACES_PER_TARGET
								     : BALANCER_TABLE_MAX;

	return size > PLACES_MIN ? size : PLACES_MIN;
}

/* ---- ring ---- */

static int compare_places(const void *a, const void *b)
{
	const struct balancer_place *x = a;
	const struct balancer_place *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->target < y->target ? -1 : x->target > y->target;
}

static void add_points(struct balancer_table *t, const struct config_target *targets, size_t index,
		       uint64_t points)
{
	for (size_t i = 0; i < points; i++)
		t->places[t->count++] = (struct balancer_place){
			.hash = hash_of(&targets[index], i),
			.target = (uint32_t)index,
		};
}

void balancer_table_ring(struct balancer_table *t, const struct config_target *targets,
			 const uint64_t *weights, size_t count)
{
	uint64_t total = sum_of(weights, count);
	size_t size = size_for(count);

	*t = (struct balancer_table){ .is_ring = true };
	t->places = mem_alloc_array(size + count, sizeof(*t->places));
	for (size_t i = 0; i < count; i++) {
		uint64_t points = weights[i] * size / total;

		add_points(t, targets, i, points > 0 ? points : 1);
	}
	qsort(t->places, t->count, sizeof(*t->places), compare_places);
}

/* ---- maglev ---- */

struct preference {
	size_t next;
	size_t skip;
	uint64_t credit; /* turns it is owed, in parts of the greatest weight */
};

/* With a prime number of places every order of preference reaches all of them. */
static size_t prime_for(size_t size)
{
	static const size_t primes[] = { 1021, 2039, 4093, 8191, 16381, 32749, BALANCER_TABLE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(primes); i++)
		if (primes[i] + 4 >= size)
			return primes[i];
	return BALANCER_TABLE_MAX;
}

static struct preference *make_preferences(const struct config_target *targets, size_t count,
					   size_t size)
{
	struct preference *preferences = mem_alloc_array(count, sizeof(*preferences));

	for (size_t i = 0; i < count; i++) {
		preferences[i].next = (size_t)(hash_of(&targets[i], 0) % size);
		preferences[i].skip = (size_t)(hash_of(&targets[i], 1) % (size - 1) + 1);
	}
	return preferences;
}

static void take_place(struct balancer_table *t, struct preference *p, uint32_t target)
{
	while (t->places[p->next].hash)
		p->next = (p->next + p->skip) % t->count;
	t->places[p->next] = (struct balancer_place){ .hash = 1, .target = target };
}

void balancer_table_maglev(struct balancer_table *t, const struct config_target *targets,
			   const uint64_t *weights, size_t count)
{
	size_t size = prime_for(size_for(count));
	struct preference *preferences = make_preferences(targets, count, size);
	uint64_t greatest = 0;
	size_t taken = 0;

	*t = (struct balancer_table){ .count = size };
	t->places = mem_alloc_array(size, sizeof(*t->places));
	for (size_t i = 0; i < count; i++)
		greatest = weights[i] > greatest ? weights[i] : greatest;
	while (taken < size) {
		for (size_t i = 0; i < count && taken < size; i++) {
			preferences[i].credit += weights[i];
			if (preferences[i].credit < greatest)
				continue;
			preferences[i].credit -= greatest;
			take_place(t, &preferences[i], (uint32_t)i);
			taken++;
		}
	}
	mem_free(preferences);
}

/* ---- both ---- */

void balancer_table_done(struct balancer_table *t)
{
	mem_free(TAKE(t->places));
	t->count = 0;
}

size_t balancer_table_find(const struct balancer_table *t, uint64_t key)
{
	size_t low = 0;
	size_t high = t->count;

	if (!t->is_ring)
		return (size_t)(key % t->count);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->places[middle].hash < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low % t->count;
}
