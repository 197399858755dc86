/*
 * A map for finding and a list in order of arrival for making room.
 */

#include "io/resolver_cache.h"

#include "base/mem.h"

struct cache_entry {
	struct list_node node;
	char *host;
	uint64_t until_ms;
	struct resolver_answer answer;
};

static void drop_entry(struct resolver_cache *c, struct cache_entry *entry)
{
	(void)map_remove(&c->by_host, str_from(entry->host));
	list_remove(&entry->node);
	mem_free(entry->host);
	mem_free(entry);
}

void resolver_cache_init(struct resolver_cache *c)
{
	map_init(&c->by_host);
	list_init(&c->by_age);
}

void resolver_cache_done(struct resolver_cache *c)
{
	LIST_FOREACH (&c->by_age, node) {
		drop_entry(c, container_of(node, struct cache_entry, node));
	}
	map_done(&c->by_host);
}

const struct resolver_answer *resolver_cache_get(struct resolver_cache *c, struct str host,
						 uint64_t now_ms)
{
	struct cache_entry *entry = map_get(&c->by_host, host);

	if (!entry)
		return NULL;
	if (entry->until_ms <= now_ms) {
		drop_entry(c, entry);
		return NULL;
	}
	return &entry->answer;
}

void resolver_cache_put(struct resolver_cache *c, struct str host,
			const struct resolver_answer *answer, uint64_t until_ms)
{
	struct cache_entry *entry = map_get(&c->by_host, host);
	struct list_node *oldest = list_first(&c->by_age);

	if (entry)
		drop_entry(c, entry);
	else if (oldest && c->by_host.count >= RESOLVER_CACHE_MAX)
		drop_entry(c, container_of(oldest, struct cache_entry, node));

	entry = mem_alloc(sizeof(*entry));
	entry->host = str_copy(host);
	entry->until_ms = until_ms;
	entry->answer = *answer;
	(void)map_put(&c->by_host, host, entry);
	list_append(&c->by_age, &entry->node);
}
