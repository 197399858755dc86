#pragma once

/*
 * postgres_link.h - one connection to PostgreSQL, which comes back by itself
 *
 * Private to session/. It is made step by step inside postgres_link_wait(), so that a server which does not answer holds
 * up nobody. A query waits for its answer, STORE_BACKEND_TIMEOUT_MS at most; then the connection is given up.
 *
 * Threads    One at a time. Looking up the host's name blocks, as libpq does it.
 * Errors     Name host and database, never the connection string: it may hold a password.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* PGconn of libpq. */
struct pg_conn;

enum postgres_link_state {
	POSTGRES_DOWN,       /* until next_ms */
	POSTGRES_CONNECTING, /* until next_ms, then it is given up */
	POSTGRES_UP,
};

struct postgres_link {
	char *connection; /* libpq's string or URI; a secret */
	struct pg_conn *conn;
	enum postgres_link_state state;
	short awaited;     /* CONNECTING: POLLIN or POLLOUT */
	unsigned failures; /* to connect, since it was up */
	uint64_t next_ms;
	uint64_t up_ms;   /* since when it is up */
	uint64_t ping_ms; /* when to ask a silent server whether it is there */
	char sqlstate[6]; /* of the last failed query, "" if the server did not say */
	struct err away;  /* why it is not up */
	int (*set_up)(void *arg, struct err *e); /* makes the first queries of a connection */
	void *arg;
};

/* Fails if that is no connection string; does not connect. */
int postgres_link_init(struct postgres_link *l, struct str connection, struct err *e);
void postgres_link_done(struct postgres_link *l);

enum postgres_event {
	POSTGRES_PENDING,   /* not given */
	POSTGRES_QUIET,     /* time is over or wake_fd is readable; the link is up */
	POSTGRES_INPUT,     /* the server sent something: there may be notifications */
	POSTGRES_CONNECTED, /* and set up */
	POSTGRES_AWAY, /* it was lost, or could not be made, or one of QUIET while it is down: see e */
};

/* Waits until deadline_ms, connecting if need be: the first attempt may take STORE_BACKEND_TIMEOUT_MS longer. */
enum postgres_event postgres_link_wait(struct postgres_link *l, int wake_fd, uint64_t deadline_ms,
				       struct err *e);

/* ---- for queries ---- */

/* Puts "PostgreSQL at <host>, database <name>: " in front. Returns -1. */
int postgres_link_wrap(const struct postgres_link *l, struct err *e);

/* The line that matters of a message of libpq. */
struct str postgres_link_essence(const char *message);

/* Until the server can be read from or written to, as events say, and takes in what it sent. */
int postgres_link_await(struct postgres_link *l, short events, uint64_t deadline_ms, struct err *e);

/* Gives up the connection, because of *why or of what libpq says. Returns -1, with the reason in e. */
int postgres_link_give_up(struct postgres_link *l, const struct err *why, struct err *e);
int postgres_link_fail(struct postgres_link *l, struct err *e);
