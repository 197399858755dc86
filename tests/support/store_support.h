#pragma once

/*
 * store_support.h - a store for tests, asked and answered at once
 *
 * What fails, fails the running cmocka test.
 */

#include "session/store.h"

struct store *store_support_open_memory(void);

/* A new record, of the kind that the session has. The secrets are copied; NULL: none. */
void store_support_put(struct store *store, struct session *session,
		       const struct session_secrets *secrets);

/* A reference to a session or service account, read from the store; NULL: there is none. */
struct session *store_support_get(struct store *store, const char *id);

/* False if there was none. */
bool store_support_remove(struct store *store, const char *id);

/* Drops everything that has expired. */
void store_support_purge(struct store *store, int64_t now_unix);

size_t store_support_count(struct store *store, enum record_kind kind);

/* A login of that user, issued at 1000 and not in any store yet. */
struct session *store_support_session(const char *user_id, int64_t expires_unix);
