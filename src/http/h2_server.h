#pragma once

/*
 * h2_server.h - the server side of one HTTP/2 connection over a stream (RFC 9113)
 *
 * Hands over each request as http/h1_server.h does, many at a time: as a call, with its body unless it is a CONNECT. A
 * call is answered once, or its stream becomes a tunnel; then the call is gone. An open tunnel is a stream like any
 * other (io/stream.h) and outlives neither its connection nor its owner's wish.
 *
 * Ownership  Takes the stream. The owner closes with h2_server_close() or is told by on_closed, after which the server
 *            is gone; before that every call was told by on_gone.
 * Threads    One loop.
 * Limits     Those of h2_session.h and h2_budget.h: a peer that exceeds one is sent away with ENHANCE_YOUR_CALM.
 *            HTTP_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_BODY_MAX for each request.
 */

#include "base/err.h"
#include "http/http.h"
#include "io/stream.h"

struct loop;
struct h2_call;
struct h2_server;

struct h2_server_events {
	/* A request, valid until answered. Name the owner of the call (h2_call_set_owner) and answer, now or later. */
	void (*on_request)(void *arg, struct h2_call *call, const struct http_request *request);
	/* What came is no request (400, 408, 413, 431): respond at once. */
	void (*on_bad_request)(void *arg, struct h2_call *call, int status, const struct err *e);
	/* The client has taken the request back, or has gone; the call is no more. */
	void (*on_gone)(void *owner, const struct err *e);
	/* The tunnel that was asked for is not there head_timeout_ms after the request. NULL: it may take any time. */
	void (*on_late)(void *owner);
	void (*on_closed)(void *arg, const struct err *e);
};

struct h2_server_options {
	uint64_t
		head_timeout_ms; /* up to the first request; of each body. 0: no limit, for this and the next one */
	uint64_t idle_timeout_ms; /* without a request or a tunnel */
	uint64_t began_ms;        /* when the connection began, if that was not now; 0: now */
	const struct h2_server_events *events;
	void *arg;
};

struct h2_server *h2_server_open(struct loop *loop, struct stream *stream,
				 const struct h2_server_options *options);

/* No more requests (GOAWAY); what is there goes on, tunnels included, and the last one ends the connection. */
void h2_server_finish(struct h2_server *s);

/* Ends it now: calls are gone without a word, tunnels fail. on_closed will not run. NULL is ignored. */
void h2_server_close(struct h2_server *s, enum stream_close how);

void h2_call_set_owner(struct h2_call *call, void *owner);

/* For HEAD the body is left out. Everything is copied; response->close is for HTTP/1.1 and ignored. */
void h2_call_respond(struct h2_call *call, const struct http_response *response);

/* Answers a CONNECT with success. What the client has sent since is read from the stream. */
struct stream *h2_call_take_tunnel(struct h2_call *call, const struct http_response *response);

/* No answer: RST_STREAM. NULL is ignored. */
void h2_call_close(struct h2_call *call);
