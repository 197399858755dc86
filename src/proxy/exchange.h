#pragma once

/*
 * exchange.h - THE LIFE OF A REQUEST
 *
 * One exchange per request, from its head to its record in the log; for a CONNECT that is the whole life of the tunnel.
 * The stages run in the order of the table in exchange.c. A stage is a plain function in a file of its own; it
 * fills the fields named after it below, and later stages only read them.
 *
 * Ownership  The connection starts an exchange and aborts it when the client is gone. When a tunnel opens, the exchange
 *            takes the client's stream and lives on by itself, in the list of its worker.
 * Threads    That of its worker.
 */

#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/random.h"
#include "base/str.h"
#include "http/http.h"
#include "policy/policy.h"
#include "proxy/recheck.h"
#include "proxy/snapshot.h"
#include "proxy/upstream_hold.h"
#include "session/session.h"

struct connection;
struct endpoint;
struct exchange;
struct peer_certificate;
struct relay;
struct stream;
struct worker;

enum step {
	STEP_NEXT, /* go on with the next stage */
	STEP_WAIT, /* something is pending; it will call exchange_resume() */
	STEP_DONE, /* answered: finish */
};

struct stage {
	const char *name;
	enum step (*run)(struct exchange *x);
};

/* What the client showed to prove who it is (protocol.md 2.1). */
enum credential {
	CREDENTIAL_NONE,
	CREDENTIAL_COOKIE,
	CREDENTIAL_HEADER,
	CREDENTIAL_QUERY,
};

/* How it ended, for the log: the only part of an exchange that more than one stage writes. */
struct outcome {
	int status;             /* 0: no answer was given */
	const char *details;    /* response-code-details; static text */
	const char *reason;     /* refusal word of extensions.md 5; NULL: not refused */
	const char *end_reason; /* tunnels: why it ended; static text */
	uint64_t bytes_received;
	uint64_t bytes_sent;
};

/* What the log says about the request; copies that outlive it. */
struct request_facts {
	struct str method;
	struct str authority;
	struct str path;
	struct str user_agent;
	struct str referer;
	bool has_query;
	bool is_websocket;           /* whose frames may be broken */
	struct http_header *headers; /* those an operator wants to see in the log */
	size_t header_count;
};

struct exchange {
	struct list_node in_worker;
	struct worker *worker;         /* borrowed; outlives us */
	struct connection *connection; /* borrowed; NULL once the tunnel has taken its stream */
	/* referenced: the rules in force when the request arrived; of an open tunnel the newest (recheck.h) */
	struct snapshot *snapshot;
	const struct http_request *request; /* valid until answered */
	struct request_facts facts;
	struct addr peer;
	struct peer_certificate *certificate; /* referenced; NULL: the client showed none */
	uint64_t started_us;
	char request_id[UUID_TEXT_LEN + 1];

	const struct stage *stage;
	void *pending; /* what a stage that said STEP_WAIT waits for */
	void (*cancel_pending)(void *pending);
	struct arena arena; /* dies with the exchange */

	/* route */
	struct route *route;             /* NULL for our own URLs */
	const struct endpoint *endpoint; /* NULL for tunnels */
	/* authenticate */
	enum credential credential;
	struct session *session;       /* referenced; NULL: nobody */
	struct session *login_session; /* of the login host's own cookie, for our own URLs there */
	const char *
		credential_problem; /* a credential was shown but is not good: "session-unknown", ... */
	/* authorize */
	struct decision decision;
	/* dial */
	struct upstream_hold upstream;
	/* serve */
	struct relay *relay;
	struct recheck_place recheck;

	struct outcome outcome;
};

void exchange_start(struct connection *connection, const struct http_request *request);

/* Goes on after STEP_WAIT with what the pending operation found. */
void exchange_resume(struct exchange *x, enum step step);

/* The tunnel that was asked for is not there within timeout_read: refuses it. */
void exchange_expire(struct exchange *x);

/* For the last stage, before it has answered: connects once more, to the route that the exchange has now. */
enum step exchange_dial_again(struct exchange *x);

/* The client is gone before it was answered, the tunnel may not go on, or the gateway is shutting down. */
void exchange_abort(struct exchange *x, const char *end_reason);
