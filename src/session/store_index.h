#pragma once

/*
 * store_index.h - the sessions and service accounts that were read or written lately
 *
 * Private to session/. Bounded: when a shard is full, the entry that was not used since the hand came by last is forgotten.
 *
 * Threads    store_index_find() and store_index_count(): any, one mutex. Everything else: the store's thread alone.
 */

#include <stddef.h>

#include "session/session.h"
#include "session/store_backend.h"

struct store_index;

struct store_index *store_index_new(size_t entries_max);
void store_index_free(struct store_index *index); /* NULL is ignored */

/* A reference, or NULL. */
struct session *store_index_find(struct store_index *index, struct str id);

/* Keeps a reference, in the place of what was remembered under that id. */
void store_index_put(struct store_index *index, struct session *session);

/* True if it was there. */
bool store_index_drop(struct store_index *index, struct str id);

size_t store_index_count(struct store_index *index);

/* Appends the stamps of everything remembered, ids copied to the arena. */
struct record_stamp *store_index_stamps(struct store_index *index, struct arena *arena,
					size_t *ret_count);
