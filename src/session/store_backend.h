#pragma once

/*
 * store_backend.h - where records are kept for good
 *
 * Private to session/. A backend knows rows, not what is in them. One suite (store_backend_suite.h) tests every one.
 *
 * Threads    Everything is called on the store's own thread, one call at a time; calls may block for as long as
 *            STORE_BACKEND_TIMEOUT_MS says and then fail with the backend "away".
 * Errors     -1 means that the backend is away or broken, and e says why: the transaction is gone, ops->wait() will
 *            connect again. Until it has, calls may be tried all the same: what needs the lost connection fails at
 *            once. Everything a row can be otherwise is in enum store_result.
 * Limits     id and owner: STORE_KEY_MAX bytes of UTF-8 without NUL. body: STORE_BODY_MAX bytes, any of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "session/store.h"

#define STORE_BACKEND_TIMEOUT_MS 5000
#define STORE_BODY_MAX           (256u * 1024)

/* Views into the arena of the call that gave it. */
struct record {
	enum record_kind kind;
	struct str id;
	struct str owner; /* user id; of a device login its user code */
	uint64_t version; /* grows with every change in the whole store */
	int64_t created_unix;
	int64_t expires_unix; /* 0: never */
	int64_t due_unix;     /* when upkeep is to look at it; 0: never */
	struct str body;      /* JSON; what is secret in it is sealed */
};

struct record_list {
	struct record *items;
	size_t count;
};

struct record_filter {
	enum record_kind kind;
	struct str owner; /* "": everybody's */
	struct str after; /* id of the last one seen; "": from the start. In the order of ids */
	size_t limit;
};

/* Where a row is, and its version where that counts. */
struct record_stamp {
	enum record_kind kind;
	struct str id;
	uint64_t version;
};

struct record_claim {
	int64_t now_unix;
	int64_t until_unix;
	size_t limit;
};

struct store_backend;

/* They come from inside ops->wait() and ops->put(), and must not call the backend. */
struct store_backend_events {
	/*
	 * A row was changed (version) or deleted (0) by another process; or put() deleted it to make room, in a
	 * transaction that may still fail. The stamp is gone after the call.
	 */
	void (*on_change)(void *arg, const struct record_stamp *stamp);
	/*
	 * Changes may have been missed: what is remembered has to be compared, see ops->compare. Also after every
	 * recovery, since a commit that failed may have happened.
	 */
	void (*on_gap)(void *arg);
};

struct store_backend_ops {
	/*
	 * Changes (put, remove, claim, purge) are made in a transaction; commit is durable when it returns 0. What only
	 * reads (get, list, compare, count) may be called in one, and sees its changes, or without.
	 */
	int (*begin)(struct store_backend *b, struct err *e);
	int (*commit)(struct store_backend *b, struct err *e);
	void (*rollback)(struct store_backend *b); /* nothing to do is fine */

	/*
	 * Inserts (expected_version 0: CONFLICT if the id is there) or replaces (CONFLICT unless it has that version,
	 * ABSENT if it is gone); fills in record->version and ends a claim. A new RECORD_SESSION of an owner who has
	 * STORE_SESSIONS_PER_USER_MAX replaces the one with the smallest created_unix (then version), whose stamp goes to
	 * on_change; FULL if there are records_max rows of all kinds, after that. Nothing is changed unless DONE.
	 */
	int (*put)(struct store_backend *b, struct record *record, uint64_t expected_version,
		   enum store_result *ret, struct err *e);
	int (*get)(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		   struct record *ret_record, enum store_result *ret, struct err *e);
	/* As get, and the row is gone. */
	int (*remove)(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		      struct record *ret_record, enum store_result *ret, struct err *e);
	/* Bytewise in the order of ids, whatever the database takes for one. */
	int (*list)(struct store_backend *b, const struct record_filter *filter,
		    struct arena *arena, struct record_list *ret, struct err *e);
	/*
	 * RECORD_SESSIONs with 0 < due_unix <= now whose claim, if any, ended at or before now: they are claimed until
	 * until_unix, by this caller alone among all processes. Those due longest are taken first. The version does not
	 * change, and nobody is told.
	 */
	int (*claim)(struct store_backend *b, const struct record_claim *claim, struct arena *arena,
		     struct record_list *ret, struct err *e);
	/* Deletes at most limit rows with 0 < expires_unix <= now, and gives kind and id of each, with version 0. */
	int (*purge)(struct store_backend *b, int64_t now_unix, size_t limit, struct arena *arena,
		     struct record_list *ret, struct err *e);
	/* Sets the version of every stamp to the row's, 0 if it is gone. */
	int (*compare)(struct store_backend *b, struct record_stamp *stamps, size_t count,
		       struct err *e);
	int (*count)(struct store_backend *b, enum record_kind kind, uint64_t *ret, struct err *e);

	/*
	 * Waits until wake_fd is readable or timeout_ms are over (negative: for ever), delivering events, and
	 * connecting again after a failure (with a pause that grows up to 1 second). Returns early when it has
	 * delivered an event, when the backend was lost, and when it is back. Does not read wake_fd. -1: away.
	 */
	int (*wait)(struct store_backend *b, int wake_fd, int timeout_ms, struct err *e);
	void (*close)(struct store_backend *b);
};

struct store_backend {
	const struct store_backend_ops *ops;
	const struct store_backend_events *events; /* the user's, like arg; NULL: nobody listens */
	void *arg;
	size_t records_max;      /* STORE_RECORDS_MAX unless the user sets another */
	uint64_t server_version; /* random, kept with the rows; below 2^63 */
};

/* path ":memory:" for a store that dies with the process. */
int backend_sqlite_open(struct str path, struct store_backend **ret, struct err *e);

/*
 * A libpq connection string or URI. Fails only if that is not one: a server that is away is connected to later.
 * Until then server_version is 0.
 */
int backend_postgres_open(struct str connection, struct store_backend **ret, struct err *e);
