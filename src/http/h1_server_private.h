#pragma once

/*
 * h1_server_private.h - the states of a server's connection; for h1_server*.c only
 */

#include "http/h1_io.h"
#include "http/h1_server.h"
#include "io/loop.h"

#define WRITE_TIMEOUT_MS 30000

enum h1_state {
	H1_IDLE,
	H1_HEAD,
	H1_CONTINUE,
	H1_BODY,
	H1_ANSWERING,
	H1_REFUSING,
	H1_WRITING,
	H1_SHUTTING,
	H1_LINGERING,
	H1_CLOSED,
};

enum h1_step { H1_STEP_NEXT, H1_STEP_WAIT };

struct h1_server {
	struct loop *loop;
	struct stream *stream;
	const struct h1_server_events *events;
	void *arg;
	uint64_t head_timeout_ms;
	uint64_t idle_timeout_ms;
	enum h1_state state;
	struct timer timer;
	struct later later;
	struct h1_input in;
	struct http_request request;
	struct h1_body decoder;
	struct buf body;
	struct h1_output out;
	bool closes_after_response;
	bool is_last;    /* no request after this one */
	size_t lingered; /* bytes read and dropped */
};

/* The one place where the state changes. */
void h1_enter(struct h1_server *s, enum h1_state state);

void h1_start_timer(struct h1_server *s, uint64_t timeout_ms);

/* Ends the connection and tells the owner; why may be NULL. The second is for a stream that has failed. */
enum h1_step h1_finish(struct h1_server *s, const struct err *why, enum stream_close how);
enum h1_step h1_finish_failed(struct h1_server *s);

enum h1_step h1_step_writing(struct h1_server *s);
enum h1_step h1_step_shutting(struct h1_server *s);
enum h1_step h1_step_lingering(struct h1_server *s);
