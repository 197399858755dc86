/*
 * A map for finding and a list in order of arrival for making room.
 */

#include "io/resolver_cache.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/url.h"

struct cache_entry {
	struct list_node node;
	char *key;
	uint64_t until_ms;
	struct resolver_answer answer;
};

/* A blank is in no host name. */
static char *key_of(struct str host, int family)
{
	struct buf key = BUF_INIT(HOST_NAME_MAX_LEN + 16);

	(void)buf_append_str(&key, host); /* the resolver takes none that is longer */
	(void)buf_printf(&key, " %d", family);
	return buf_take_string(&key);
}

static void drop_entry(struct resolver_cache *c, struct cache_entry *entry)
{
	(void)map_remove(&c->by_key, str_from(entry->key));
	list_remove(&entry->node);
	mem_free(entry->key);
	mem_free(entry);
}

void resolver_cache_init(struct resolver_cache *c)
{
	map_init(&c->by_key);
	list_init(&c->by_age);
}

void resolver_cache_done(struct resolver_cache *c)
{
	LIST_FOREACH (&c->by_age, node) {
		drop_entry(c, container_of(node, struct cache_entry, node));
	}
	map_done(&c->by_key);
}

const struct resolver_answer *resolver_cache_get(struct resolver_cache *c, struct str host,
						 int family, uint64_t now_ms)
{
	_cleanup_(mem_freep) char *key = key_of(host, family);
	struct cache_entry *entry = map_get(&c->by_key, str_from(key));

	if (!entry)
		return NULL;
	if (entry->until_ms <= now_ms) {
		drop_entry(c, entry);
		return NULL;
	}
	return &entry->answer;
}

void resolver_cache_put(struct resolver_cache *c, struct str host, int family,
			const struct resolver_answer *answer, uint64_t until_ms)
{
	char *key = key_of(host, family);
	struct cache_entry *entry = map_get(&c->by_key, str_from(key));
	struct list_node *oldest = list_first(&c->by_age);

	if (entry)
		drop_entry(c, entry);
	else if (oldest && c->by_key.count >= RESOLVER_CACHE_MAX)
		drop_entry(c, container_of(oldest, struct cache_entry, node));

	entry = mem_alloc(sizeof(*entry));
	entry->key = key;
	entry->until_ms = until_ms;
	entry->answer = *answer;
	(void)map_put(&c->by_key, str_from(key), entry);
	list_append(&c->by_age, &entry->node);
}
