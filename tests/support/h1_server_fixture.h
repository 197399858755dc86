#pragma once

/*
 * h1_server_fixture.h - a server over a stream in memory, a client end for the test, and a diary
 * of the events
 */

#include "base/buf.h"
#include "http/h1_server.h"
#include "tests/support/stream_mem.h"

#define FIXTURE_HEAD_TIMEOUT_MS 10000
#define FIXTURE_IDLE_TIMEOUT_MS 60000

struct h1_fixture {
	struct loop *loop;
	struct stream *client;              /* NULL once the test has closed it */
	struct h1_server *server;           /* NULL once it has gone */
	const struct http_request *request; /* being answered */
	struct stream *tunnel;
	struct buf early;
	/* "request GET /path a.example body;", "bad 400;", "closed;", "closed timeout;" */
	struct buf diary;
	struct buf received; /* by the client, as far as client_read() was called */
	bool client_saw_end;
	bool answers_at_once; /* 200 with the path as body, in on_request; bad requests always at once */
	/* The server is closed at the event of this number (1, 2, ...); 0: never. */
	unsigned close_at;
	unsigned event_count;
};

void h1_fixture_init(struct h1_fixture *f, const struct stream_mem_options *options);
void h1_fixture_done(struct h1_fixture *f);

/* Turns the loop until nothing more can happen by itself. */
void h1_fixture_settle(struct h1_fixture *f);

/* Writes everything, letting the server read in between, and settles. */
void h1_fixture_send(struct h1_fixture *f, struct str bytes);

/* Reads what there is; bytes go to received. */
void h1_fixture_receive(struct h1_fixture *f);

/* Answers with 200 and that body, then settles and receives. */
void h1_fixture_answer(struct h1_fixture *f, int status, struct str body, bool close);

/* Moves the clock, then settles. */
void h1_fixture_advance(struct h1_fixture *f, uint64_t ms);

/* Compares and empties the diary / what was received; fails the test with both texts. */
void h1_fixture_expect(struct h1_fixture *f, const char *diary);
void h1_fixture_expect_received(struct h1_fixture *f, const char *text);
