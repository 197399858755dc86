/*
 * Two tables, each a map and a list by last use, whose first node is what a full table forgets. Entries end by the monotonic
 * clock and are noticed when somebody looks.
 */

#include "proxy/bearer_cache.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "session/session.h"

struct entry {
	struct list_node by_use;
	uint8_t key[SHA256_SIZE];
	struct session *session; /* NULL: bad */
	uint64_t until_ms;
};

struct table {
	struct map by_key;
	struct list by_use;
	size_t max;
};

struct bearer_cache {
	pthread_mutex_t lock; /* guards both tables */
	struct table good;
	struct table bad;
};

static void lock(struct bearer_cache *c)
{
	int rc = pthread_mutex_lock(&c->lock);

	assert(rc == 0);
}

static void unlock(struct bearer_cache *c)
{
	int rc = pthread_mutex_unlock(&c->lock);

	assert(rc == 0);
}

static struct str key_of(const uint8_t *key)
{
	return str_of(key, SHA256_SIZE);
}

/* ---- one table ---- */

static void table_init(struct table *t, size_t max)
{
	map_init(&t->by_key);
	list_init(&t->by_use);
	t->max = max;
}

static void forget(struct table *t, struct entry *entry)
{
	(void)map_remove(&t->by_key, key_of(entry->key)); /* it is there, and goes */
	list_remove(&entry->by_use);
	session_unref(TAKE(entry->session));
	mem_free(entry);
}

static void forget_oldest(struct table *t)
{
	struct list_node *node = list_first(&t->by_use);

	assert(node);
	forget(t, container_of(node, struct entry, by_use));
}

static void table_done(struct table *t)
{
	struct list_node *node;

	while ((node = list_first(&t->by_use)) != NULL)
		forget(t, container_of(node, struct entry, by_use));
	map_done(&t->by_key);
}

static struct entry *find(struct table *t, const uint8_t *key)
{
	struct entry *entry = map_get(&t->by_key, key_of(key));

	if (!entry)
		return NULL;
	if (entry->until_ms <= clock_now_ms()) {
		forget(t, entry);
		return NULL;
	}
	list_remove(&entry->by_use);
	list_append(&t->by_use, &entry->by_use);
	return entry;
}

static void put(struct table *t, const uint8_t *key, struct session *session, uint64_t until_ms)
{
	struct entry *entry = map_get(&t->by_key, key_of(key));

	if (entry)
		forget(t, entry);
	else if (t->by_key.count >= t->max)
		forget_oldest(t);
	entry = mem_alloc(sizeof(*entry));
	memcpy(entry->key, key, sizeof(entry->key));
	entry->session = session ? session_ref(session) : NULL;
	entry->until_ms = until_ms;
	(void)map_put(&t->by_key, key_of(key), entry); /* replaces nothing: see above */
	list_append(&t->by_use, &entry->by_use);
}

/* ---- both ---- */

struct bearer_cache *bearer_cache_new(void)
{
	struct bearer_cache *c = mem_alloc(sizeof(*c));
	int rc = pthread_mutex_init(&c->lock, NULL);

	assert(rc == 0);
	table_init(&c->good, BEARER_GOOD_MAX);
	table_init(&c->bad, BEARER_BAD_MAX);
	return c;
}

void bearer_cache_free(struct bearer_cache *c)
{
	if (!c)
		return;
	table_done(&c->good);
	table_done(&c->bad);
	(void)pthread_mutex_destroy(&c->lock); /* nobody holds it */
	mem_free(c);
}

enum bearer_memory bearer_cache_find(struct bearer_cache *c, const uint8_t key[SHA256_SIZE],
				     struct session **ret)
{
	enum bearer_memory memory = BEARER_UNKNOWN;
	const struct entry *entry;

	lock(c);
	entry = find(&c->good, key);
	if (entry) {
		*ret = session_ref(entry->session);
		memory = BEARER_GOOD;
	} else if (find(&c->bad, key)) {
		memory = BEARER_BAD;
	}
	unlock(c);
	return memory;
}

void bearer_cache_put(struct bearer_cache *c, const uint8_t key[SHA256_SIZE],
		      struct session *session, int64_t keep_s)
{
	struct table *to = session ? &c->good : &c->bad;
	struct table *from = session ? &c->bad : &c->good;
	struct entry *old;

	if (keep_s <= 0)
		return;
	lock(c);
	old = map_get(&from->by_key, key_of(key));
	if (old) /* what was said before counts no more */
		forget(from, old);
	put(to, key, session, clock_now_ms() + (uint64_t)keep_s * 1000);
	unlock(c);
}
