/*
 * map.c - chained buckets, a power of two of them, at most one entry per bucket on average
 *
 * An entry carries its key inline and its hash, so that growing does not hash again.
 */

#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/siphash.h"

#define MAP_BUCKETS_FIRST 16

struct map_entry {
	struct map_entry *next;
	void *value;
	uint64_t hash;
	size_t key_len;
	char key[];
};

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
	random_bytes(m->key, sizeof(m->key));
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->bucket_count; i++) {
		struct map_entry *entry = m->buckets[i];
		while (entry) {
			struct map_entry *next = entry->next;
			mem_free(entry);
			entry = next;
		}
	}
	mem_free(m->buckets);
	*m = (struct map){ 0 };
}

static struct map_entry **bucket_of(const struct map *m, uint64_t hash)
{
	return &m->buckets[hash & (m->bucket_count - 1)];
}

/* The link that points to the entry, or NULL. */
static struct map_entry **find_link(const struct map *m, struct str key, uint64_t hash)
{
	if (!m->bucket_count)
		return NULL;
	for (struct map_entry **link = bucket_of(m, hash); *link; link = &(*link)->next) {
		const struct map_entry *entry = *link;
		if (entry->hash == hash && str_equal(str_of(entry->key, entry->key_len), key))
			return link;
	}
	return NULL;
}

static void insert(struct map *m, struct map_entry *entry)
{
	struct map_entry **bucket = bucket_of(m, entry->hash);

	entry->next = *bucket;
	*bucket = entry;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->bucket_count = old.bucket_count ? old.bucket_count * 2 : MAP_BUCKETS_FIRST;
	m->buckets = mem_alloc_array(m->bucket_count, sizeof(struct map_entry *));
	for (size_t i = 0; i < old.bucket_count; i++) {
		struct map_entry *entry = old.buckets[i];
		while (entry) {
			struct map_entry *next = entry->next;
			insert(m, entry);
			entry = next;
		}
	}
	mem_free(old.buckets);
}

static struct map_entry *entry_new(struct str key, uint64_t hash, void *value)
{
	struct map_entry *entry = mem_alloc(sizeof(struct map_entry) + key.len);

	entry->value = value;
	entry->hash = hash;
	entry->key_len = key.len;
	if (key.len)
		memcpy(entry->key, key.at, key.len);
	return entry;
}

void *map_get(const struct map *m, struct str key)
{
	struct map_entry **link = m->count ? find_link(m, key, siphash24(m->key, key)) : NULL;

	return link ? (*link)->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = siphash24(m->key, key);
	struct map_entry **link = find_link(m, key, hash);

	assert(value);
	if (link) {
		void *replaced = (*link)->value;
		(*link)->value = value;
		return replaced;
	}
	if (m->count >= m->bucket_count)
		grow(m);
	insert(m, entry_new(key, hash, value));
	m->count++;
	return NULL;
}

static void *unlink_entry(struct map *m, struct map_entry **link)
{
	struct map_entry *entry = *link;
	void *value = entry->value;

	*link = entry->next;
	mem_free(entry);
	m->count--;
	return value;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_entry **link = m->count ? find_link(m, key, siphash24(m->key, key)) : NULL;

	return link ? unlink_entry(m, link) : NULL;
}

void map_visit(struct map *m, bool (*visit)(void *arg, struct str key, void *value), void *arg)
{
	for (size_t i = 0; i < m->bucket_count; i++) {
		struct map_entry **link = &m->buckets[i];
		while (*link) {
			struct map_entry *entry = *link;
			if (visit(arg, str_of(entry->key, entry->key_len), entry->value))
				(void)unlink_entry(m, link); /* the visitor has the value */
			else
				link = &entry->next;
		}
	}
}
