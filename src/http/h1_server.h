#pragma once

/*
 * h1_server.h - the server side of one HTTP/1.1 connection over a stream
 *
 * Reads requests one after the other, hands each over complete with its body, and writes the
 * answers. After a CONNECT nothing that follows is ever parsed as a request: it is kept (at most
 * H1_EARLY_MAX bytes, then the peer is not read any more) until h1_server_take_tunnel(), or
 * dropped when the CONNECT is refused.
 *
 * A response with close, to a CONNECT, or to a broken request ends the connection: it is flushed,
 * the sending side is shut, what the peer still sends is read and dropped for at most
 * H1_LINGER_MS (so that the answer is not destroyed by a reset), then on_closed comes.
 *
 * Ownership  Takes the stream. The owner closes with h1_server_close() or is told by on_closed,
 *            after which the server is gone.
 * Threads    One loop.
 * Limits     HTTP_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_BODY_MAX. The head must be complete
 *            head_timeout_ms after the connection began or, on a kept connection, after its
 *            first byte; the body the same time after the head; idle_timeout_ms between requests.
 *            A peer that takes nothing of an answer for 30 seconds is cut off.
 */

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"
#include "io/stream.h"

#define H1_EARLY_MAX  (64u * 1024)
#define H1_LINGER_MS  2000
#define H1_LINGER_MAX (1u << 20)

struct loop;
struct h1_server;

struct h1_server_events {
	/* A request, valid until answered or the server closed. Answer now or later, once. */
	void (*on_request)(void *arg, const struct http_request *request);
	/* What came is no request (400, 408, 413, 431). Answer it with h1_server_respond(): the
	 * connection will be closed after that. */
	void (*on_bad_request)(void *arg, int status, const struct err *e);
	/* The connection has ended; the server frees itself. e is NULL for an orderly end. If a
	 * request was being answered, it is no longer. */
	void (*on_closed)(void *arg, const struct err *e);
	/* The tunnel that a CONNECT asked for is not there head_timeout_ms after its first byte: answer it now. NULL: it
	 * may take as long as it wants. */
	void (*on_late)(void *arg);
};

struct h1_server_options {
	uint64_t head_timeout_ms; /* 0: no limit, for this and the next one */
	uint64_t idle_timeout_ms;
	uint64_t began_ms; /* when the connection began, if that was not now; 0: now */
	const struct h1_server_events *events;
	void *arg;
};

struct h1_server *h1_server_open(struct loop *loop, struct stream *stream,
				 const struct h1_server_options *options);

/* Writes head and body; for HEAD the body is left out, its length is not. Everything is copied. */
void h1_server_respond(struct h1_server *s, const struct http_response *response);

/*
 * Answers a CONNECT with success: fills ret_head with the response head (no body framing headers,
 * RFC 9110 section 9.3.6), to be sent first, and ret_early with what the client sent after its
 * request; gives the stream away and frees the server. Both buffers are initialised here. The
 * caller names the stream's next owner. on_closed will not run.
 */
struct stream *h1_server_take_tunnel(struct h1_server *s, const struct http_response *response,
				     struct buf *ret_head, struct buf *ret_early);

/*
 * The request that is in progress, or the first one if none has come yet, is the last one: its answer says so and ends the
 * connection. One that is waiting for another request, of which nothing is here, ends with on_closed, later.
 */
void h1_server_finish(struct h1_server *s);

/* Ends it now. on_closed will not run. NULL is ignored. */
void h1_server_close(struct h1_server *s, enum stream_close how);
