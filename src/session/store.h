#pragma once

/*
 * store.h - where sessions live
 *
 * Today in memory: sharded, one mutex each, no I/O and no callback under it.
 *
 * Threads    Any.
 * Limits     STORE_SESSIONS_PER_USER_MAX per user: the oldest goes; STORE_SESSIONS_MAX in all: a
 *            new login is refused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "session/session.h"

#define STORE_SESSIONS_PER_USER_MAX 256
#define STORE_SESSIONS_MAX          1000000

struct store;

struct store *store_new_memory(void);
struct store *store_new_memory_limited(size_t sessions_max); /* instead of STORE_SESSIONS_MAX */
void store_free(struct store *store);

/* Random per store; goes into tokens (databroker_server_version). Below 2^63. */
uint64_t store_server_version(const struct store *store);

/*
 * Keeps a reference and gives the record its version, so it is put once. ERR_LIMIT when the store
 * is full.
 */
int store_put_session(struct store *store, struct session *session, struct err *e);

/*
 * A reference to the record, or NULL. An expired one is found until it is purged, so that its owner can be told why
 * it is no good: whoever asks looks at session_is_expired().
 */
struct session *store_get_session(struct store *store, struct str id);

/* True if there was one. */
bool store_delete_session(struct store *store, struct str id);

/* Drops what has expired; returns how many. Call now and then. */
size_t store_purge(struct store *store, int64_t now_unix);

size_t store_session_count(struct store *store);
