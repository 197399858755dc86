/*
 * An entry has a document, or the reason why it has none, and at most one fetch. Its timer runs while it does not fetch: it
 * asks again what has become old, and forgets what nobody has used for as long. The mutex guards the map and what
 * document_cache_find() reads; only the loop's thread changes them, so it reads without.
 */

#include "proxy/document_cache.h"

#include <assert.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/fetch.h"
#include "io/loop.h"

#define RETRY_S 60 /* after a failure, as long as there is an old one */

#define SECONDS(s) ((uint64_t)(s)*1000)

struct document_cache {
	struct loop *loop;
	struct fetcher *fetcher;
	const struct document_kind *kind;
	pthread_mutex_t lock;
	struct map entries;
};

struct entry {
	struct document_cache *cache;
	struct arena arena; /* holds the source */
	struct document_source source;
	void *document; /* guarded, like the two times below */
	uint64_t fetched_ms;
	uint64_t used_ms;
	uint64_t tried_ms; /* when the last fetch ended; 0: never */
	struct err error;  /* what came of it; ERR_NONE: the document */
	bool is_nonsense;
	struct fetch *fetch;
	struct timer timer;
	struct list waiting;
};

struct document_wait {
	struct list_node node;
	struct later later;
	struct document_cache *cache;
	void (*on_done)(void *arg, const struct document_answer *answer);
	void *arg;
	void *document; /* the answer, where it is known at once; referenced */
	struct err error;
	bool is_nonsense;
};

static void lock(struct document_cache *c)
{
	int rc = pthread_mutex_lock(&c->lock);

	assert(rc == 0);
}

static void unlock(struct document_cache *c)
{
	int rc = pthread_mutex_unlock(&c->lock);

	assert(rc == 0);
}

static bool is_past(uint64_t since_ms, uint64_t seconds)
{
	return clock_now_ms() >= since_ms + SECONDS(seconds);
}

/* ---- entries ---- */

static void entry_free(struct entry *entry)
{
	assert(list_is_empty(&entry->waiting));
	fetch_cancel(TAKE(entry->fetch));
	timer_cancel(&entry->timer);
	if (entry->document)
		entry->cache->kind->unref(TAKE(entry->document));
	arena_done(&entry->arena);
	mem_free(entry);
}

static void forget(struct entry *entry)
{
	struct document_cache *c = entry->cache;

	lock(c);
	(void)map_remove(&c->entries, entry->source.key); /* it is this one */
	unlock(c);
	entry_free(entry);
}

static bool pick_oldest(void *arg, struct str key, void *value)
{
	struct entry **oldest = arg;
	struct entry *entry = value;

	(void)key;
	if (!entry->fetch && (!*oldest || entry->used_ms < (*oldest)->used_ms))
		*oldest = entry;
	return false;
}

/* False if all of them are being fetched. */
static bool make_room(struct document_cache *c)
{
	struct entry *oldest = NULL;

	if (c->entries.count < c->kind->entries_max)
		return true;
	lock(c); /* the time of use changes on other threads */
	map_visit(&c->entries, pick_oldest, &oldest);
	unlock(c);
	if (!oldest)
		return false;
	forget(oldest);
	return true;
}

static struct entry *entry_new(struct document_cache *c, const struct document_source *source)
{
	struct entry *entry = mem_alloc(sizeof(*entry));

	entry->cache = c;
	entry->source = (struct document_source){
		.key = arena_copy(&entry->arena, source->key),
		.url = arena_copy(&entry->arena, source->url),
		.about = source->about,
		.text = arena_copy(&entry->arena, source->text),
	};
	list_init(&entry->waiting);
	lock(c);
	(void)map_put(&c->entries, entry->source.key, entry); /* there was none */
	unlock(c);
	return entry;
}

/* NULL if there is no room. */
static struct entry *use_entry(struct document_cache *c, const struct document_source *source)
{
	struct entry *entry = map_get(&c->entries, source->key);

	if (!entry && make_room(c))
		entry = entry_new(c, source);
	if (!entry)
		return NULL;
	lock(c);
	entry->used_ms = clock_now_ms();
	unlock(c);
	return entry;
}

/* ---- fetching ---- */

static void start_fetch(struct entry *entry);

static void on_timer(struct timer *timer)
{
	struct entry *entry = container_of(timer, struct entry, timer);
	bool is_unused;

	lock(entry->cache);
	is_unused = !entry->document || is_past(entry->used_ms, DOCUMENT_AGE_S) ||
		    is_past(entry->fetched_ms, DOCUMENT_STALE_S);
	unlock(entry->cache);
	if (is_unused)
		forget(entry);
	else
		start_fetch(entry);
}

static void start_timer(struct entry *entry)
{
	uint64_t seconds = DOCUMENT_AGE_S;

	if (entry->error.kind != ERR_NONE)
		seconds = entry->document ? RETRY_S : DOCUMENT_REFETCH_S;
	timer_start(&entry->timer, entry->cache->loop, clock_now_ms() + SECONDS(seconds), on_timer);
}

static void set_document(struct entry *entry, void *document)
{
	void *old;

	lock(entry->cache);
	old = entry->document;
	entry->document = document;
	entry->fetched_ms = clock_now_ms();
	unlock(entry->cache);
	if (old)
		entry->cache->kind->unref(old);
}

static void read_response(struct entry *entry, const struct fetch_response *response)
{
	const struct document_kind *kind = entry->cache->kind;
	void *document = NULL;

	if (response->status < 200 || response->status > 299) {
		(void)err_set(&entry->error, ERR_PROTOCOL,
			      "%s cannot be fetched: %.*s answers with status %d", kind->name,
			      STR_FMT(str_first(entry->source.url, 200)), response->status);
		return;
	}
	if (kind->parse(&entry->source, response->body, &document, &entry->error) < 0) {
		entry->is_nonsense = true;
		return;
	}
	set_document(entry, document);
}

static void deliver(struct document_wait *wait, const struct document_answer *answer)
{
	struct document_wait copy = *wait;

	loop_free_later(wait->cache->loop, wait);
	copy.on_done(copy.arg, answer);
}

/* The entry may be gone when the first has been told. */
static void deliver_all(struct entry *entry)
{
	const struct document_kind *kind = entry->cache->kind;
	struct err error = entry->error;
	bool is_good = error.kind == ERR_NONE;
	struct document_answer answer = {
		.document = is_good ? kind->ref(entry->document) : NULL,
		.error = is_good ? NULL : &error,
		.is_nonsense = entry->is_nonsense,
	};
	struct list told;
	struct list_node *node;

	list_init(&told);
	while ((node = list_first(&entry->waiting)) != NULL) {
		list_remove(node);
		list_append(&told, node);
	}
	while ((node = list_first(&told)) != NULL) {
		list_remove(node);
		deliver(container_of(node, struct document_wait, node), &answer);
	}
	if (is_good)
		kind->unref(answer.document);
}

static void on_fetched(void *arg, const struct fetch_response *response, const struct err *e)
{
	struct entry *entry = arg;

	entry->fetch = NULL;
	entry->tried_ms = clock_now_ms();
	entry->error = (struct err){ 0 };
	entry->is_nonsense = false;
	if (response) {
		read_response(entry, response);
	} else {
		entry->error = *e;
		(void)err_wrap(&entry->error, "%s cannot be fetched", entry->cache->kind->name);
	}
	start_timer(entry);
	deliver_all(entry);
}

static void start_fetch(struct entry *entry)
{
	static const struct http_header headers[] = {
		{ STR("accept"), STR("application/json") },
	};

	timer_cancel(&entry->timer);
	entry->fetch = fetch_start(entry->cache->fetcher,
				   &(struct fetch_request){
					   .method = STR("GET"),
					   .url = entry->source.url,
					   .headers = headers,
					   .header_count = ARRAY_LEN(headers),
					   .timeout_ms = DOCUMENT_TIMEOUT_MS,
					   .body_max = entry->cache->kind->text_max,
				   },
				   on_fetched, entry);
}

/* ---- waiting ---- */

static void answer_later(struct later *later)
{
	struct document_wait *wait = container_of(later, struct document_wait, later);
	const struct document_kind *kind = wait->cache->kind;
	void *document = wait->document;
	struct err error = wait->error;

	deliver(wait, &(struct document_answer){
			      .document = document,
			      .error = document ? NULL : &error,
			      .is_nonsense = wait->is_nonsense,
		      });
	if (document)
		kind->unref(document);
}

static void answer_at_once(struct document_wait *wait, struct entry *entry)
{
	wait->error = entry->error;
	wait->is_nonsense = entry->is_nonsense;
	if (entry->error.kind == ERR_NONE)
		wait->document = wait->cache->kind->ref(entry->document);
	later_start(&wait->later, wait->cache->loop, answer_later);
}

struct document_wait *document_cache_renew(
	struct document_cache *c, const struct document_source *source,
	void (*on_done)(void *arg, const struct document_answer *answer), void *arg)
{
	struct document_wait *wait = mem_alloc(sizeof(*wait));
	struct entry *entry = use_entry(c, source);

	wait->cache = c;
	wait->on_done = on_done;
	wait->arg = arg;
	if (!entry) {
		(void)err_set(&wait->error, ERR_LIMIT, "%s cannot be fetched: too many at a time",
			      c->kind->name);
		later_start(&wait->later, c->loop, answer_later);
		return wait;
	}
	if (!entry->fetch && entry->tried_ms && !is_past(entry->tried_ms, DOCUMENT_REFETCH_S)) {
		answer_at_once(wait, entry);
		return wait;
	}
	list_append(&entry->waiting, &wait->node);
	if (!entry->fetch)
		start_fetch(entry);
	return wait;
}

void document_cache_cancel(struct document_wait *wait)
{
	if (!wait)
		return;
	list_remove(&wait->node);
	later_cancel(&wait->later);
	if (wait->document)
		wait->cache->kind->unref(TAKE(wait->document));
	loop_free_later(wait->cache->loop, wait);
}

/* ---- the cache ---- */

void *document_cache_find(struct document_cache *c, struct str key)
{
	struct entry *entry;
	void *document = NULL;

	lock(c);
	entry = map_get(&c->entries, key);
	if (entry && entry->document && !is_past(entry->fetched_ms, DOCUMENT_STALE_S)) {
		entry->used_ms = clock_now_ms();
		document = c->kind->ref(entry->document);
	}
	unlock(c);
	return document;
}

struct document_cache *document_cache_new(struct loop *loop, struct fetcher *fetcher,
					  const struct document_kind *kind)
{
	struct document_cache *c = mem_alloc(sizeof(*c));
	int rc = pthread_mutex_init(&c->lock, NULL);

	assert(rc == 0);
	c->loop = loop;
	c->fetcher = fetcher;
	c->kind = kind;
	map_init(&c->entries);
	return c;
}

static bool free_entry(void *arg, struct str key, void *value)
{
	(void)arg;
	(void)key;
	entry_free(value);
	return true;
}

void document_cache_free(struct document_cache *c)
{
	if (!c)
		return;
	map_visit(&c->entries, free_entry, NULL);
	map_done(&c->entries);
	(void)pthread_mutex_destroy(&c->lock); /* nobody holds it */
	mem_free(c);
}
