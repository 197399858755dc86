#include "session/store_index.h"

#include <assert.h>
#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#define SHARDS 16

struct entry {
	struct session *session; /* a reference */
	struct list_node in_ring;
	bool was_used; /* since the hand came by */
};

struct shard {
	pthread_mutex_t lock;
	struct map entries; /* by session id */
	struct list ring;   /* the hand is before the first */
	size_t max;
};

struct store_index {
	struct shard shards[SHARDS];
};

static void lock(struct shard *shard)
{
	int rc = pthread_mutex_lock(&shard->lock);

	assert(rc == 0);
}

static void unlock(struct shard *shard)
{
	int rc = pthread_mutex_unlock(&shard->lock);

	assert(rc == 0);
}

/* Ids are random; this only spreads them. */
static struct shard *shard_of(struct store_index *index, struct str id)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < id.len; i++)
		hash = hash * 31 + (uint8_t)id.at[i];
	return &index->shards[(hash ^ hash >> 16) % SHARDS];
}

struct store_index *store_index_new(size_t entries_max)
{
	struct store_index *index = mem_alloc(sizeof(*index));

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &index->shards[i];
		int rc = pthread_mutex_init(&shard->lock, NULL);

		assert(rc == 0);
		map_init(&shard->entries);
		list_init(&shard->ring);
		shard->max = (entries_max + SHARDS - 1) / SHARDS;
	}
	return index;
}

static void free_entry(struct entry *entry)
{
	list_remove(&entry->in_ring);
	session_unref(entry->session);
	mem_free(entry);
}

void store_index_free(struct store_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &index->shards[i];

		LIST_FOREACH (&shard->ring, node) {
			free_entry(container_of(node, struct entry, in_ring));
		}
		map_done(&shard->entries);
		(void)pthread_mutex_destroy(&shard->lock); /* nobody holds it */
	}
	mem_free(index);
}

struct session *store_index_find(struct store_index *index, struct str id)
{
	struct shard *shard = shard_of(index, id);
	struct session *session = NULL;
	struct entry *entry;

	lock(shard);
	entry = map_get(&shard->entries, id);
	if (entry) {
		entry->was_used = true;
		session = session_ref(entry->session);
	}
	unlock(shard);
	return session;
}

/* Under the lock. The hand passes those that were used, once; so it stops after one round at the latest. */
static void forget_one(struct shard *shard)
{
	for (;;) {
		struct list_node *node = list_first(&shard->ring);
		struct entry *entry = container_of(node, struct entry, in_ring);

		assert(node);
		if (!entry->was_used) {
			(void)map_remove(&shard->entries,
					 str_from(entry->session->id)); /* itself */
			free_entry(entry);
			return;
		}
		entry->was_used = false;
		list_remove(node);
		list_append(&shard->ring, node);
	}
}

void store_index_put(struct store_index *index, struct session *session)
{
	struct str id = str_from(session->id);
	struct shard *shard = shard_of(index, id);
	struct session *replaced = NULL;
	struct entry *entry;

	lock(shard);
	entry = map_get(&shard->entries, id);
	if (entry) {
		replaced = entry->session;
	} else {
		if (shard->entries.count >= shard->max)
			forget_one(shard);
		entry = mem_alloc(sizeof(*entry));
		list_append(&shard->ring, &entry->in_ring);
		(void)map_put(&shard->entries, id, entry); /* was not there */
	}
	entry->session = session_ref(session);
	unlock(shard);
	session_unref(replaced);
}

bool store_index_drop(struct store_index *index, struct str id)
{
	struct shard *shard = shard_of(index, id);
	struct entry *entry;

	lock(shard);
	entry = map_remove(&shard->entries, id);
	if (entry)
		free_entry(entry);
	unlock(shard);
	return entry;
}

size_t store_index_count(struct store_index *index)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		lock(&index->shards[i]);
		count += index->shards[i].entries.count;
		unlock(&index->shards[i]);
	}
	return count;
}

/* Only the store's thread adds and removes: no lock is needed to read what it has made. */
struct record_stamp *store_index_stamps(struct store_index *index, struct arena *arena,
					size_t *ret_count)
{
	size_t count = store_index_count(index);
	struct record_stamp *stamps = arena_alloc_array(arena, count, sizeof(*stamps));
	size_t next = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		LIST_FOREACH (&index->shards[i].ring, node) {
			const struct session *s =
				container_of(node, struct entry, in_ring)->session;

			stamps[next++] = (struct record_stamp){
				.kind = s->kind == SESSION_SERVICE_ACCOUNT ? RECORD_SERVICE_ACCOUNT
									   : RECORD_SESSION,
				.id = arena_copy(arena, str_from(s->id)),
				.version = s->record_version,
			};
		}
	}
	*ret_count = next;
	return stamps;
}
