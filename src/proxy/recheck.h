#pragma once

/*
 * recheck.h - open tunnels are asked again (extensions.md 4)
 *
 * A tunnel stays open as long as its route, its session, its policy, its client's certificate and the time allow it. It is asked
 * again when its session changes or goes (change_feed.h: here or on another gateway), when there is a new snapshot, at the
 * next moment at which time may change the answer, and at least every RECHECK_INTERVAL_MS. What is not allowed any more ends
 * with its reason; the others lose no byte. Where the route says tunnel_reauthorization: off, only its own time limit ends a tunnel.
 *
 * Nothing is asked from inside a call: tunnels are queued and asked at the end of the turn, for RECHECK_SLICE_US at a time,
 * so that ten thousand of them stall nobody.
 *
 * Ownership  Part of a worker. An exchange embeds its place here, and leaves before it goes.
 * Threads    That of the worker; recheck_new(), recheck_stop() and recheck_free() while it has none.
 * Limits     RECHECK_ASKS_MAX questions to the store at once.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "io/loop.h"

#define RECHECK_SLICE_US    1000
#define RECHECK_INTERVAL_MS 60000
#define RECHECK_ASKS_MAX    64

struct exchange;
struct recheck;
struct recheck_session;
struct worker;

/* An exchange's place; zero: it is not watched. */
struct recheck_place {
	struct list_node
		in_list; /* of all, of those to be asked, or of those whose turn is later */
	struct list_node in_session;     /* of those with the same session */
	struct recheck_session *session; /* NULL: nobody's, or a token that is in no store */
	struct timer timer;
	int64_t certificate_until_unix; /* of the last decision */
};

/* worker->loop and worker->mailbox are there. Listens to the control's change feed, if there is one. */
struct recheck *recheck_new(struct worker *worker);

/* No news from other threads afterwards; the mailbox may be closed then. NULL is ignored. */
void recheck_stop(struct recheck *r);
void recheck_free(struct recheck *r); /* NULL is ignored; nobody is watched any more */

/* When the tunnel opens; it is asked once more, soon. */
void recheck_join(struct exchange *x);

/* Idempotent. */
void recheck_leave(struct exchange *x);

enum recheck_verdict {
	RECHECK_ALLOWED,
	RECHECK_ROUTE_REMOVED,
	RECHECK_SESSION_REVOKED,
	RECHECK_SESSION_EXPIRED,
	RECHECK_POLICY_DENIED, /* x->decision says why */
};

/*
 * Asks at once, whether it has joined or not: moves x to the snapshot in force, takes the newest session that is known, and
 * decides. Closes nothing.
 */
enum recheck_verdict recheck_decide(struct exchange *x);

/* At the end of this turn or one of the next; x has joined. */
void recheck_soon(struct exchange *x);

/* After worker->snapshot was replaced: every tunnel moves to the new one and is asked again, soon. */
void recheck_all(struct worker *worker);

/* A session or service account changed, or is gone. */
void recheck_session_changed(struct worker *worker, struct str id);

/*
 * The longest turn in which tunnels were asked again, in CPU time: what is ours of loop_longest_turn_us(), on a machine that is
 * busy with other things. Any thread.
 */
uint64_t recheck_longest_turn_cpu_us(const struct recheck *r);
void recheck_forget_longest_turn(struct recheck *r);

/* How many wait to be asked, for tests and the operator. */
size_t recheck_waiting(const struct recheck *r);
