#pragma once

/*
 * fetch_fixture.h - a fetcher, somebody to ask, and what came of it
 */

#include "base/buf.h"
#include "http/fetch.h"
#include "tests/support/http_peer.h"

#define FIXTURE_TIMEOUT_MS 30000
#define FIXTURE_BODY_MAX   1000

struct fetch_fixture {
	struct loop *loop;
	struct fetcher *fetcher;
	struct http_peer *peer;
	struct fetch *fetch; /* the last one started */
	struct buf diary;    /* what the peer was asked: "GET /path body;" */
	struct buf url;
	struct http_peer_call *held;

	unsigned done_count;
	int status; /* of the last one; 0: failed */
	int64_t max_age_s;
	char content_type[64];
	char body[FIXTURE_BODY_MAX + 1];
	struct err error;
	/* Called from on_done, after the above was written. */
	void (*on_done)(struct fetch_fixture *f);
};

/* Forgets what the environment says, about proxies above all. The peer answers with answer(). */
void fetch_fixture_init(struct fetch_fixture *f, void (*answer)(struct http_peer_call *call));
void fetch_fixture_done(struct fetch_fixture *f);

/* Anew, for what is in the environment now. */
void fetch_fixture_new_fetcher(struct fetch_fixture *f, const struct fetcher_options *options);

/* "http://127.0.0.1:<port of the peer><path>", until the next call. */
struct str fetch_fixture_url(struct fetch_fixture *f, const char *path);

/* The request with what is missing filled in: GET, time and size limits. */
void fetch_fixture_start(struct fetch_fixture *f, struct fetch_request request);

/* Turns the loop until that many were done in all. */
void fetch_fixture_wait(struct fetch_fixture *f, unsigned done_count);

/* One GET, from beginning to end. */
void fetch_fixture_get(struct fetch_fixture *f, const char *url);

/* The last one failed, with this kind and a text that begins so. */
void fetch_fixture_expect_error(const struct fetch_fixture *f, enum err_kind kind,
				const char *beginning);
void fetch_fixture_expect_diary(struct fetch_fixture *f, const char *text);

/* An answer for http_peer_open(): 200, the method as body. */
void fetch_fixture_answer(struct http_peer_call *call);

/* For an answer of one's own: writes the diary. */
struct fetch_fixture *fetch_fixture_note(struct http_peer_call *call);

/* A server that says these bytes to whatever it is sent, and closes. */
struct raw_peer;
struct raw_peer *raw_peer_open(struct loop *loop, struct str says);
uint16_t raw_peer_port(const struct raw_peer *peer);
void raw_peer_close(struct raw_peer *peer);

/* A port where nobody listens. */
uint16_t free_port(void);
