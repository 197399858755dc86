#pragma once

/*
 * exchange_fixture.h - a worker without a thread, and exchanges whose connection and upstream are the test's
 *
 * Linked into a test, exchange_connection_fake.c and exchange_dial_fake.c take the place of proxy/connection.c and
 * io/dial.c: what the gateway answers is kept here, and the test says how a dial ends. Everything else is the
 * gateway itself, started from the text of a configuration.
 *
 * The clock is the fake one; the log is JSON, in UTC, and read through exchange_fixture_log().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/stream.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

#define FIXTURE_NOW       1767225600 /* 2026-01-01T00:00:00Z */
#define FIXTURE_PASSWORD  "correct horse"
#define FIXTURE_PEER      "203.0.113.7"
#define FIXTURE_AUTH_HOST "authenticate.example.com"
#define FIXTURE_ROUTE     "redis.example.com:6379"
#define FIXTURE_LINES_MAX (1u << 20)
#define FIXTURE_UUID_TEXT "<uuid>"

/* alice (id user-1, group eng), bob (group ops) and mallory, who is disabled; all with FIXTURE_PASSWORD. */
#define FIXTURE_USERS                                                                              \
	"idp_provider: local\n"                                                                    \
	"local_users:\n"                                                                           \
	"- {email: alice@example.com, name: Alice, id: user-1, groups: [eng],\n"                   \
	"   password_hash: " FIXTURE_HASH "}\n"                                                    \
	"- {email: bob@example.com, name: Bob, id: user-2, groups: [ops],\n"                       \
	"   password_hash: " FIXTURE_HASH "}\n"                                                    \
	"- {email: mallory@example.com, id: user-3, disabled: true,\n"                             \
	"   password_hash: " FIXTURE_HASH "}\n"
#define FIXTURE_HASH  "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
#define FIXTURE_LOGIN "authenticate_service_url: https://" FIXTURE_AUTH_HOST "\n"

/* One route, for alice. */
#define FIXTURE_ROUTES                                                                             \
	"routes:\n"                                                                                \
	"- from: tcp+https://" FIXTURE_ROUTE "\n"                                                  \
	"  to: tcp://10.0.0.5:6379\n"                                                              \
	"  allowed_users: [alice@example.com]\n"

#define FIXTURE_SETTINGS                                                                           \
	"databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS FIXTURE_ROUTES

struct exchange_fixture {
	struct control control; /* without a thread: its mailbox is on the worker's loop */
	struct worker worker;
	struct connection connection;
	int log_fd;
	/* the request being answered */
	struct buf bytes;
	struct arena arena;
	struct http_request request;
	/* the last answer */
	bool is_held; /* requests start without a turn of the loop: helper threads cannot be faster */
	unsigned answer_count; /* since the request */
	int status;            /* 0: none */
	struct buf headers;    /* "name: value\n" each, as given */
	struct buf body;
	/* the upstream */
	struct dial *dial;        /* in progress */
	struct buf dialed;        /* "10.0.0.5:6379\n" each */
	uint64_t dial_timeout_ms; /* of the last one */
	unsigned dials_cancelled;
	struct stream *client; /* far ends of a tunnel */
	struct stream *upstream;
	struct buf scratch; /* of the functions that return views */
};

void exchange_fixture_init(struct exchange_fixture *f, const char *settings);

/* Aborts what is still open, as a worker does. */
void exchange_fixture_done(struct exchange_fixture *f);

/* For cmocka: *state becomes a fixture with FIXTURE_SETTINGS. */
int exchange_fixture_set_up(void **state);
int exchange_fixture_tear_down(void **state);

/* A new snapshot for the requests to come. */
void exchange_fixture_reload(struct exchange_fixture *f, const char *settings);

/* Starts the exchange of a request: a head and, behind its blank line, a body or early bytes of a tunnel. */
void exchange_fixture_send(struct exchange_fixture *f, struct str bytes);
void exchange_fixture_sendf(struct exchange_fixture *f, const char *format, ...) PRINTF_LIKE(2, 3);

/* For stages alone: an exchange with the request and nothing done yet, in the caller's storage. */
void exchange_fixture_begin(struct exchange_fixture *f, struct exchange *x, const char *bytes);
void exchange_fixture_end(struct exchange *x);

/* Turns the loop until nothing more can happen by itself / until no password is being checked. */
void exchange_fixture_settle(struct exchange_fixture *f);
void exchange_fixture_wait(struct exchange_fixture *f);

/* The exchange that is alive; the test fails if there is none. */
struct exchange *exchange_fixture_only(struct exchange_fixture *f);

/* The value of the header of that name; empty if there is none. Valid until the next answer. */
struct str exchange_fixture_header(const struct exchange_fixture *f, const char *name);

/* Status and all headers, in order, with UUIDs masked; then the answer is forgotten but for its body. */
void exchange_fixture_expect(struct exchange_fixture *f, int status, const char *headers);
void exchange_fixture_expect_body(struct exchange_fixture *f, const char *body);
bool exchange_fixture_body_has(const struct exchange_fixture *f, const char *text);

/* Everything logged since the last call, UUIDs masked; valid until the next call of the fixture. */
const char *exchange_fixture_log(struct exchange_fixture *f);
void exchange_fixture_expect_log(struct exchange_fixture *f, const char *lines);

/* Another id for the identity provider, as that of a vector. */
void exchange_fixture_set_idp_id(struct exchange_fixture *f, const char *id);

/* A new store that takes so many records. */
void exchange_fixture_limit_store(struct exchange_fixture *f, size_t records_max);

/* Puts a session into the store, or takes it out: true if it was there. */
void exchange_fixture_store(struct exchange_fixture *f, struct session *session);
bool exchange_fixture_forget(struct exchange_fixture *f, const char *session_id);

/* A live session of that user, in the store; and a token for it, to be released with mem_free(). */
struct session *exchange_fixture_session(struct exchange_fixture *f, const char *email,
					 int64_t life_s);
char *exchange_fixture_token(struct exchange_fixture *f, const struct session *session);
char *exchange_fixture_log_in(struct exchange_fixture *f, const char *email);

/* How the dial in progress ends. */
void exchange_fixture_dial_fails(struct exchange_fixture *f, enum err_kind kind);
void exchange_fixture_dial_connects(struct exchange_fixture *f);

/* For the fake connection: keeps an answer. */
void exchange_fixture_keep(struct exchange_fixture *f, const struct http_response *response);

/* Replaces what looks like a UUID. */
void exchange_fixture_mask(struct str text, struct buf *out);
