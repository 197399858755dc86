#pragma once

/*
 * store.h - where sessions, service accounts and device logins live
 *
 * Three kinds of store behind one interface: in memory, in a SQLite file, in PostgreSQL (extensions.md 1, 10). Changes go to
 * the store's own thread, which writes what has come together in one transaction and answers when it is durable. What
 * was read or written lately is in a bounded index in memory, so that a known session costs its reader one mutex and
 * no wait; changes made by another gateway reach the index within two seconds.
 *
 * Ownership  store_open() gives a store; store_free() answers what is waiting with STORE_UNAVAILABLE first.
 * Threads    Any. on_done, on_change and on_state run on the store's thread: they hand on and return.
 * Limits     STORE_SESSIONS_PER_USER_MAX: the oldest goes. STORE_RECORDS_MAX in all: STORE_FULL, and so for
 *            STORE_DEVICE_LOGINS_MAX, which anybody may begin. STORE_CALLS_MAX
 *            waiting: STORE_UNAVAILABLE. STORE_INDEX_MAX remembered: the one not used longest is forgotten, not lost.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "session/device_login.h"
#include "session/session.h"
#include "session/session_secrets.h"

#define STORE_SESSIONS_PER_USER_MAX 256
#define STORE_RECORDS_MAX           1000000
#define STORE_DEVICE_LOGINS_MAX     10000
#define STORE_INDEX_MAX             100000
#define STORE_CALLS_MAX             10000
#define STORE_LIST_MAX              256 /* per call */
#define STORE_KEY_MAX               255

enum store_type { STORE_MEMORY, STORE_FILE, STORE_POSTGRES };

enum record_kind {
	RECORD_SESSION = 1,
	RECORD_SERVICE_ACCOUNT = 2,
	RECORD_DEVICE_LOGIN = 3,
};

enum store_result {
	STORE_DONE,
	STORE_ABSENT,      /* there is no such record: for certain */
	STORE_CONFLICT,    /* it was changed meanwhile, or exists already */
	STORE_FULL,        /* no room; or the record is too long, then error says what of it */
	STORE_UNAVAILABLE, /* nothing is known: the database is away, or the store closes */
};

/* What a record holds; store_item_done() lets go of it. */
struct store_item {
	struct session *session;         /* sessions and service accounts; referenced */
	struct session_secrets *secrets; /* sessions of external providers; owned */
	struct device_login *device;     /* device logins; referenced */
};

void store_item_done(struct store_item *item);

enum store_verb {
	/*
	 * kind, item: replaces the record of expected_version, or adds a new one where that is 0. What is replaced is a
	 * new object: the store sets its record_version before anybody else sees it.
	 */
	STORE_PUT,
	STORE_GET,    /* kind, key: gives item */
	STORE_REMOVE, /* kind, key: gives the item that was, as far as it could be read */
	/* kind, owner ("": all), key (after this id; "": from the start): gives found, has_more, and key to go on with. */
	STORE_LIST,
	STORE_CLAIM, /* now_unix: gives found, sessions whose upkeep is due, claimed for STORE_CLAIM_S; has_more */
	STORE_PURGE, /* now_unix: drops what has expired; has_more if that is not all of it */
};

#define STORE_CLAIM_S   60
#define STORE_CLAIM_MAX 64

/*
 * A question to the store. The caller fills in the first part, zeroes the rest, and leaves the struct alone until on_done.
 * Afterwards the outputs are the caller's; store_call_done() releases them.
 */
struct store_call {
	enum store_verb verb;
	enum record_kind kind;
	char key[STORE_KEY_MAX + 1];
	char owner[STORE_KEY_MAX + 1];
	uint64_t expected_version;
	int64_t now_unix;
	struct store_item item;
	void (*on_done)(struct store_call *call);

	enum store_result result;
	struct err error; /* why it is unavailable */
	struct store_item *found;
	size_t found_count;
	bool has_more;

	struct list_node node; /* the store's */
};

struct store;

struct store_options {
	enum store_type type;
	struct str where;      /* path of the file; connection string */
	struct str shared_key; /* secrets in records are sealed under a key derived from it */
	size_t records_max;    /* 0: STORE_RECORDS_MAX */
	size_t index_max;      /* 0: STORE_INDEX_MAX */
	/* A session or service account changed or is gone, here or elsewhere; each may be NULL. */
	void (*on_change)(void *arg, const char *id);
	/* The store became available, or is away and why. */
	void (*on_state)(void *arg, const struct err *away);
	void *arg;
};

/* A file that cannot be opened and a connection string that is none are errors; a server that is away is not. */
int store_open(const struct store_options *options, struct store **ret, struct err *e);
void store_free(struct store *store); /* NULL is ignored */

/* Random per store, kept with it; goes into tokens (databroker_server_version). Below 2^63. */
uint64_t store_server_version(const struct store *store);

/* Begins; on_done runs once. Of calls that wait at the same time, those that change nothing may be run first. */
void store_start(struct store *store, struct store_call *call);

/* Begins and waits: for tests and commands, never on a loop. on_done is not called. */
void store_run(struct store *store, struct store_call *call);

void store_call_done(struct store_call *call);

/*
 * A reference to a session or service account that is in the index, or NULL: then STORE_GET knows. An expired one is
 * given too, so that its owner can be told why it is no good: whoever asks looks at session_is_expired().
 */
struct session *store_find(struct store *store, struct str id);

/*
 * Another shared key from now on, as after a restart with another one: what was sealed under the key before cannot be opened any
 * more. Such a session is not renewed again; nobody has a token for it, either.
 */
void store_set_shared_key(struct store *store, struct str shared_key);

/* False while the backend is away; then e says why. */
bool store_is_available(struct store *store, struct err *e);

/* How many sessions the index remembers, for metrics and tests. */
size_t store_index_size(struct store *store);
