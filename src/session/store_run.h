#pragma once

/*
 * store_run.h - what the store's thread does with the calls it has taken
 *
 * Private to session/.
 */

#include "jose/seal.h"
#include "session/store.h"
#include "session/store_backend.h"
#include "session/store_index.h"

/* What has changed without us, until it is looked at. */
struct store_news {
	struct arena arena; /* of the ids */
	struct record_stamp *items;
	size_t count;
	size_t max;
};

struct store_work {
	struct store_backend *backend;
	struct store_index *index;
	uint8_t key[SEAL_KEY_SIZE];
	void (*on_change)(void *arg, const char *id);
	void *arg;
	struct store_news news;
	bool has_gap; /* changes may have been missed */
};

/* Takes the backend. */
void store_work_init(struct store_work *w, struct store_backend *backend,
		     const struct store_options *options);
void store_work_done(struct store_work *w);

bool store_verb_is_change(enum store_verb verb);

/*
 * Afterwards each call has its result. Changes are one transaction; of what only reads, each call is for itself. -1: the
 * backend is away, e says why, and those who would need it have STORE_UNAVAILABLE.
 */
int store_work_read(struct store_work *w, struct store_call **calls, size_t count, struct err *e);
int store_work_change(struct store_work *w, struct store_call **calls, size_t count, struct err *e);

/* The outside is told that a session or service account has changed. */
void store_work_tell(struct store_work *w, struct str id);

/* ---- store_news.c ---- */

void store_news_listen(struct store_work *w);
void store_news_done(struct store_news *news);

/* Brings the index up to date with what the backend has told; after a gap, with everything. */
void store_work_catch_up(struct store_work *w);
