#pragma once

/*
 * handshake.h - the TLS handshakes of client connections: not more than max_handshakes at once
 *
 * Whoever comes when there are so many waits for his turn, in order, unread. timeout_read goes on meanwhile. So after a
 * restart, when all clients come at once, they are served one after the other instead of being sent away.
 *
 * Ownership  A place is part of a connection, the queue of a worker.
 * Threads    That of the worker. The count is the gateway's, and other workers tell nobody when they are done: who
 *            waits here looks every HANDSHAKE_RETRY_MS.
 */

#include "base/list.h"
#include "io/loop.h"

#define HANDSHAKE_RETRY_MS 20

struct connection;

/* Zero: none. */
enum handshake_state { HANDSHAKE_NONE, HANDSHAKE_WAITING, HANDSHAKE_RUNNING };

struct handshake_place {
	enum handshake_state state;
	struct list_node in_queue; /* while it waits */
	struct timer due;
};

struct handshake_queue {
	struct list waiting; /* list_init() it */
	struct timer retry;
};

/* Makes c->stream a TLS stream; then connection_serve() runs, or connection_fail(). */
void handshake_begin(struct connection *c);

/* Before the stream is closed; idempotent. */
void handshake_cancel(struct connection *c);
