/*
 * device_guard.c - one table per kind of count
 *
 * All windows of a table are equally long, so the list of its counters by the start of their windows is also that of their
 * ends: what is over is dropped from its front whenever a counter is added.
 */

#include "proxy/device_guard.h"

#include <assert.h>
#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "session/device_login.h"

enum kind {
	LOGINS,
	LOGINS_BY_SOURCE,
	POLLS_BY_CODE,
	UNKNOWN_BY_SOURCE,
	GUESSES_BY_SESSION,
	GUESSES_BY_SOURCE,
	KIND_COUNT,
};

#define LIFE_MS (UINT64_C(1000) * DEVICE_LIFE_S)

static const struct {
	unsigned max;
	uint64_t window_ms;
} limits[KIND_COUNT] = {
	[LOGINS] = { DEVICE_LOGINS_MAX, LIFE_MS },
	[LOGINS_BY_SOURCE] = { DEVICE_LOGINS_PER_SOURCE_MAX, LIFE_MS },
	[POLLS_BY_CODE] = { 1, UINT64_C(1000) * DEVICE_INTERVAL_S - DEVICE_POLL_SLACK_MS },
	[UNKNOWN_BY_SOURCE] = { DEVICE_UNKNOWN_PER_SOURCE_MAX, LIFE_MS },
	[GUESSES_BY_SESSION] = { DEVICE_GUESSES_MAX, LIFE_MS },
	[GUESSES_BY_SOURCE] = { DEVICE_GUESSES_PER_SOURCE_MAX, LIFE_MS },
};

struct counter {
	struct list_node by_start;
	uint64_t start_ms;
	unsigned count;
	struct str key;
	char key_bytes[];
};

struct table {
	struct map counters;
	struct list by_start;
};

struct device_guard {
	pthread_mutex_t lock;
	struct table tables[KIND_COUNT];
};

struct device_guard *device_guard_new(void)
{
	struct device_guard *g = mem_alloc(sizeof(*g));
	int rc = pthread_mutex_init(&g->lock, NULL);

	assert(rc == 0);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		map_init(&g->tables[i].counters);
		list_init(&g->tables[i].by_start);
	}
	return g;
}

void device_guard_free(struct device_guard *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < KIND_COUNT; i++) {
		LIST_FOREACH (&g->tables[i].by_start, node) {
			mem_free(container_of(node, struct counter, by_start));
		}
		map_done(&g->tables[i].counters);
	}
	(void)pthread_mutex_destroy(&g->lock); /* nobody holds it */
	mem_free(g);
}

static void forget(struct table *t, struct counter *counter)
{
	(void)map_remove(&t->counters, counter->key); /* it is the counter itself */
	list_remove(&counter->by_start);
	mem_free(counter);
}

/* Threads read the clock before they wait for each other: now may be a little before the start. */
static bool is_over(enum kind kind, const struct counter *counter, uint64_t now_ms)
{
	return now_ms >= counter->start_ms + limits[kind].window_ms;
}

static void forget_old(struct table *t, enum kind kind, uint64_t now_ms)
{
	struct list_node *node;

	while ((node = list_first(&t->by_start))) {
		struct counter *oldest = container_of(node, struct counter, by_start);

		if (!is_over(kind, oldest, now_ms))
			return;
		forget(t, oldest);
	}
}

static void forget_oldest(struct table *t)
{
	struct list_node *node = list_first(&t->by_start);

	assert(node);
	forget(t, container_of(node, struct counter, by_start));
}

static struct counter *counter_new(struct table *t, struct str key, uint64_t now_ms)
{
	struct counter *counter;

	if (t->counters.count >= DEVICE_GUARD_KEYS_MAX)
		forget_oldest(t);
	counter = mem_alloc(sizeof(*counter) + key.len);
	memcpy(counter->key_bytes, key.at, key.len);
	counter->key = str_of(counter->key_bytes, key.len);
	counter->start_ms = now_ms;
	(void)map_put(&t->counters, counter->key, counter); /* was not there */
	list_append(&t->by_start, &counter->by_start);
	return counter;
}

static struct counter *counter_for(struct table *t, enum kind kind, struct str key, uint64_t now_ms)
{
	struct counter *counter;

	forget_old(t, kind, now_ms);
	counter = map_get(&t->counters, key);
	return counter ? counter : counter_new(t, key, now_ms);
}

/* Counts one, or gives the seconds to wait until there is room for it. */
static unsigned take(struct device_guard *g, enum kind kind, struct str key, uint64_t now_ms)
{
	struct counter *counter = counter_for(&g->tables[kind], kind, key, now_ms);
	uint64_t left_ms;

	if (counter->count < limits[kind].max) {
		counter->count++;
		return 0;
	}
	left_ms = counter->start_ms + limits[kind].window_ms - now_ms;
	return (unsigned)((left_ms + 999) / 1000);
}

static void give_back(struct device_guard *g, enum kind kind, struct str key)
{
	struct counter *counter = map_get(&g->tables[kind].counters, key);

	if (counter && counter->count > 0)
		counter->count--;
}

/* Both, or none of them. */
static unsigned take_two(struct device_guard *g, const enum kind kinds[2], const struct str keys[2],
			 uint64_t now_ms)
{
	unsigned wait_s = take(g, kinds[0], keys[0], now_ms);

	if (wait_s > 0)
		return wait_s;
	wait_s = take(g, kinds[1], keys[1], now_ms);
	if (wait_s > 0)
		give_back(g, kinds[0], keys[0]);
	return wait_s;
}

/* One customer usually holds a whole /64 of IPv6. */
static struct str source_key(const struct addr *source)
{
	if (source->any.sa_family != AF_INET6)
		return str_of(&source->ip4.sin_addr, sizeof(source->ip4.sin_addr));
	if (IN6_IS_ADDR_V4MAPPED(&source->ip6.sin6_addr))
		return str_of(&source->ip6.sin6_addr.s6_addr[12], sizeof(source->ip4.sin_addr));
	return str_of(&source->ip6.sin6_addr, 8);
}

unsigned device_guard_ask(struct device_guard *g, const struct addr *source, uint64_t now_ms)
{
	const enum kind kinds[] = { LOGINS_BY_SOURCE, LOGINS };
	const struct str keys[] = { source_key(source), STR("all") };
	unsigned wait_s;

	(void)pthread_mutex_lock(&g->lock); /* cannot fail on a mutex of the default kind */
	wait_s = take_two(g, kinds, keys, now_ms);
	(void)pthread_mutex_unlock(&g->lock);
	return wait_s;
}

unsigned device_guard_begin_poll(struct device_guard *g, struct str code_hash,
				 const struct addr *source, uint64_t now_ms)
{
	const enum kind kinds[] = { UNKNOWN_BY_SOURCE, POLLS_BY_CODE };
	const struct str keys[] = { source_key(source), code_hash };
	unsigned wait_s;

	(void)pthread_mutex_lock(&g->lock); /* as above */
	wait_s = take_two(g, kinds, keys, now_ms);
	(void)pthread_mutex_unlock(&g->lock);
	return wait_s;
}

unsigned device_guard_begin_guess(struct device_guard *g, struct str session_id,
				  const struct addr *source, uint64_t now_ms)
{
	const enum kind kinds[] = { GUESSES_BY_SESSION, GUESSES_BY_SOURCE };
	const struct str keys[] = { session_id, source_key(source) };
	unsigned wait_s;

	(void)pthread_mutex_lock(&g->lock); /* as above */
	wait_s = take_two(g, kinds, keys, now_ms);
	(void)pthread_mutex_unlock(&g->lock);
	return wait_s;
}

void device_guard_poll_is_known(struct device_guard *g, const struct addr *source)
{
	(void)pthread_mutex_lock(&g->lock); /* as above */
	give_back(g, UNKNOWN_BY_SOURCE, source_key(source));
	(void)pthread_mutex_unlock(&g->lock);
}

void device_guard_guess_is_right(struct device_guard *g, struct str session_id,
				 const struct addr *source)
{
	(void)pthread_mutex_lock(&g->lock); /* as above */
	give_back(g, GUESSES_BY_SESSION, session_id);
	give_back(g, GUESSES_BY_SOURCE, source_key(source));
	(void)pthread_mutex_unlock(&g->lock);
}
