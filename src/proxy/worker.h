#pragma once

/*
 * worker.h - one thread: a loop, its listener, its connections and exchanges
 *
 * Shares with the others only what the pointers below say: the log, the session store, the guards (each with its
 * own locks), what control.h marks, and the immutable snapshot.
 *
 * Ownership  The server owns its workers. worker_new() and worker_free() run on the control thread, everything else
 *            on the worker's own.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "io/mailbox.h"
#include "proxy/counters.h"
#include "proxy/handshake.h"
#include "proxy/snapshot.h"

/* Password checks that may wait for a helper thread at once, per worker. */
#define WORKER_PASSWORD_JOBS_MAX 16

struct control;
struct device_guard;
struct log;
struct log_file;
struct login_guard;
struct loop;
struct recheck;
struct resolver;
struct store;
struct worker;

enum worker_mode {
	WORKER_SERVES,
	WORKER_FINISHES, /* accepts nobody: a successor does. Whoever is here already gets what they ask for */
	WORKER_REFUSES, /* accepts nobody, and opens no tunnel any more */
};

/* Borrowed; outlives the workers. */
struct worker_shared {
	struct log *log;
	struct log *audit; /* to audit_file; NULL in tests */
	struct log_file *audit_file;
	struct store *store;
	struct login_guard *guard;
	struct device_guard *device_guard;
	struct control *control;
	bool deals; /* there is one socket for all: whoever has it deals connections out (deal.h) */
};

struct worker {
	struct worker_shared shared;
	struct loop *loop;
	struct mailbox *mailbox; /* any thread may post until worker_free() */
	struct resolver *resolver;
	struct snapshot *snapshot; /* referenced */
	enum worker_mode mode;
	struct list connections;
	struct handshake_queue handshakes;
	struct list exchanges;
	struct recheck *recheck; /* of open tunnels */
	struct counters counters;
	size_t password_jobs;
	size_t asks;                  /* exchanges, gone ones too, whose answer is not here yet */
	struct worker_thread *thread; /* private */
};

/* socket: bound and listening (listening.h), or -1; the worker's from now on, also after a failure. */
struct worker *worker_new(const struct worker_shared *shared, struct snapshot *snapshot, int socket,
			  struct err *e);

/* Starts the thread, which begins to accept: nothing is served before the last worker is made. */
int worker_start(struct worker *w, struct err *e);

/* What a worker is given while it runs. */
struct worker_update {
	struct mailbox_message message;
	struct worker *worker;
	struct snapshot *snapshot; /* referenced; the worker's afterwards */
	int socket; /* -1: the one it has; else accepts from this one and retires the old one */
	struct mailbox *answer_to;
	/* On the thread of answer_to, when the worker works with it and has retired the old socket. */
	void (*on_done)(struct worker_update *update);
	void (*on_gone)(struct worker_update *update); /* instead, if we are shutting down */
};

/* From any thread. The update is the worker's until on_done or on_gone. */
void worker_update(struct worker *w, struct worker_update *update);

/* Tells a worker that it is not to serve any more. */
struct worker_leave {
	struct mailbox_message message;
	struct worker *worker;
	enum worker_mode mode;
	uint64_t grace_ms; /* what is left to connections without a request */
	bool retires;      /* nobody has the socket of this worker after us: listener_retire() */
	struct mailbox *answer_to;
	/* On the thread of answer_to: everybody who was waiting is accepted, and the listener is gone. */
	void (*on_done)(struct worker_leave *leave);
};

/* From any thread. Whoever waits for another request is let go; others end with their next answer. */
void worker_leave(struct worker *w, struct worker_leave *leave);

/* Asks for a copy of the socket a worker listens at. */
struct worker_share {
	struct mailbox_message message;
	struct worker *worker;
	struct mailbox *answer_to;
	int socket; /* the answer; -1: it has none, or there are no descriptors. Owned by who asks */
	/* On the thread of answer_to. */
	void (*on_done)(struct worker_share *share);
};

/* From any thread. */
void worker_share(struct worker *w, struct worker_share *share);

/* Closes everything with end reason "shutdown" and waits for the thread. */
void worker_stop(struct worker *w);

/* After worker_stop(), when nobody posts any more. NULL is ignored. */
void worker_free(struct worker *w);
