/*
 * A ring of what was put last, with a map into it. The mutex is taken when the gateway itself ends a tunnel and when somebody
 * asks, never for a tunnel that just goes its way.
 */

#include "proxy/end_reasons.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

struct entry {
	char tunnel_id[UUID_TEXT_LEN + 1]; /* "": never used */
	const char *reason;
};

struct end_reasons {
	pthread_mutex_t lock; /* guards everything */
	struct map by_id;     /* of struct entry */
	struct entry entries[END_REASONS_MAX];
	size_t next;
};

static void lock(struct end_reasons *r)
{
	int rc = pthread_mutex_lock(&r->lock);

	assert(rc == 0);
}

static void unlock(struct end_reasons *r)
{
	int rc = pthread_mutex_unlock(&r->lock);

	assert(rc == 0);
}

struct end_reasons *end_reasons_new(void)
{
	struct end_reasons *r = mem_alloc(sizeof(*r));
	int rc = pthread_mutex_init(&r->lock, NULL);

	assert(rc == 0);
	map_init(&r->by_id);
	return r;
}

void end_reasons_free(struct end_reasons *r)
{
	if (!r)
		return;
	map_done(&r->by_id);
	(void)pthread_mutex_destroy(&r->lock); /* nobody holds it */
	mem_free(r);
}

void end_reasons_put(struct end_reasons *r, struct str tunnel_id, const char *reason)
{
	struct entry *entry;

	assert(tunnel_id.len == UUID_TEXT_LEN);
	lock(r);
	entry = map_get(&r->by_id, tunnel_id);
	if (!entry) {
		entry = &r->entries[r->next++ % END_REASONS_MAX];
		if (entry->tunnel_id[0])
			(void)map_remove(&r->by_id, str_from(entry->tunnel_id)); /* was there */
		memcpy(entry->tunnel_id, tunnel_id.at, UUID_TEXT_LEN);
		(void)map_put(&r->by_id, tunnel_id, entry); /* was not there */
	}
	entry->reason = reason;
	unlock(r);
}

const char *end_reasons_find(struct end_reasons *r, struct str tunnel_id)
{
	const struct entry *entry;
	const char *reason;

	lock(r);
	entry = map_get(&r->by_id, tunnel_id);
	reason = entry ? entry->reason : NULL;
	unlock(r);
	return reason;
}
