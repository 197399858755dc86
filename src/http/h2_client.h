#pragma once

/*
 * h2_client.h - the client side of one HTTP/2 connection: many tunnels over one stream (RFC 9113 section 8.5)
 *
 * Ownership  Takes the stream. Belongs to the caller until on_closed has run or it was closed. Questions (h2_connect)
 *            belong to the caller until on_done has run or they were cancelled; the streams they bring belong to
 *            the callee, and fail when the connection does.
 * Threads    One loop.
 * Errors     Only through on_done. ERR_CLOSED: the server has not looked at the request, it may be asked again on another
 *            connection.
 * Limits     Those of h2_session.h. A connection that was silent for H2_CLIENT_SILENCE_MS is asked for a sign of life with
 *            the next question, and given up H2_CLIENT_PING_MS later without one.
 */

#include "http/connect_client.h"

#define H2_CLIENT_SILENCE_MS 5000
#define H2_CLIENT_PING_MS    10000

struct h2_client;
struct h2_connect;

struct h2_client *h2_client_open(struct loop *loop, struct stream *stream,
				 void (*on_closed)(void *arg, const struct err *e), void *arg);

/* Streams fail, questions too: later. on_closed will not run. NULL is ignored. */
void h2_client_close(struct h2_client *c);

/* False: it is full, or the server is going away (tunnels go on; with the last one it closes). */
bool h2_client_takes_more(const struct h2_client *c);

/* Like connect_client_start(). */
struct h2_connect *h2_client_connect(struct h2_client *c, const struct connect_request *request,
				     void (*on_done)(void *arg, struct connect_result *result,
						     const struct err *e),
				     void *arg);

/* NULL is ignored. */
void h2_connect_cancel(struct h2_connect *q);
