#pragma once

/*
 * document_cache.h - documents that others publish about themselves, fetched and kept fresh
 *
 * A document is fetched when somebody first needs it, again when somebody says that it no longer fits (but not more often
 * than every DOCUMENT_REFETCH_S), and when it is DOCUMENT_AGE_S old and was used lately. An old one counts until the new
 * one has arrived, for DOCUMENT_STALE_S at most: stale is better than down.
 *
 * Threads    document_cache_find(): any. Everything else: that of the loop.
 * Limits     The kind's entries_max; the one used longest ago is forgotten.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define DOCUMENT_REFETCH_S  10
#define DOCUMENT_AGE_S      3600
#define DOCUMENT_STALE_S    86400
#define DOCUMENT_TIMEOUT_MS 10000

struct document_cache;
struct document_wait;
struct fetcher;
struct loop;

struct document_source {
	struct str key;
	struct str url;
	const void *about; /* for parse(); outlives everything */
	struct str text;   /* for parse(), too */
};

struct document_kind {
	const char *name; /* "the key set": for errors */
	size_t text_max;
	size_t entries_max;
	int (*parse)(const struct document_source *source, struct str text, void **ret,
		     struct err *e);
	void *(*ref)(void *document);
	void (*unref)(void *document);
};

struct document_answer {
	void *document; /* borrowed for the call; NULL: error says why */
	const struct err *error;
	bool is_nonsense; /* something was fetched, but it is no such document */
};

struct document_cache *document_cache_new(struct loop *loop, struct fetcher *fetcher,
					  const struct document_kind *kind);
void document_cache_free(struct document_cache *c); /* nobody may wait any more; NULL is ignored */

/* A reference to what is known, or NULL. */
void *document_cache_find(struct document_cache *c, struct str key);

/*
 * Asks again, unless that was done just now, and tells what came of it: on_done runs once, later. One fetch serves all
 * who wait. The source is copied.
 */
struct document_wait *document_cache_renew(
	struct document_cache *c, const struct document_source *source,
	void (*on_done)(void *arg, const struct document_answer *answer), void *arg);
void document_cache_cancel(struct document_wait *wait); /* NULL is ignored */
