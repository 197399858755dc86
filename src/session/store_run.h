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

struct store_work {
	struct store_backend *backend;
	struct store_index *index;
	uint8_t key[SEAL_KEY_SIZE];
	void (*on_change)(void *arg, const char *id);
	void *arg;
	bool has_gap; /* changes may have been missed */
};

/* Takes the backend. */
void store_work_init(struct store_work *w, struct store_backend *backend,
		     const struct store_options *options);
void store_work_done(struct store_work *w);

/*
 * Runs all calls in one transaction; afterwards each has its result. -1: the backend is away, e says why, and every call
 * is STORE_UNAVAILABLE.
 */
int store_work_run(struct store_work *w, struct store_call **calls, size_t count, struct err *e);

/* After a gap: forgets what has changed meanwhile. */
void store_work_catch_up(struct store_work *w);
