#pragma once

/*
 * connection.h - one client connection: PROXY header, TLS, HTTP; one exchange at a time
 *
 * With HTTP/2 the client's connection has no exchange itself: each of its requests is a connection of its own, which lasts
 * until it is answered or its stream is a tunnel (connection_h2.h). For the exchange there is no difference.
 *
 * Ownership  Lives in the list of its worker until the client or the worker closes it, or a tunnel takes its stream. The
 *            requests of HTTP/2 live in the list of their connection, and each has a place among max_connections.
 * Threads    That of its worker.
 * Limits     Those of the configuration: timeout_read covers all up to the first request's head, or to the tunnel it
 *            asks for; timeout_idle the time between requests; max_connections and max_handshakes in the whole gateway.
 */

#include "base/addr.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/http.h"
#include "io/stream.h"
#include "proxy/handshake.h"

struct connection;
struct exchange;
struct h1_server;
struct h2_call;
struct h2_server;
struct peer_certificate;
struct proxy_header_reader;
struct worker;

/* How a request is answered: over HTTP/1.1, or on a stream of HTTP/2. */
struct connection_ops {
	void (*respond)(struct connection *c, const struct http_response *response);
	struct stream *(*take_tunnel)(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early);
	void (*close)(struct connection *c);
};

struct connection {
	struct list_node in_worker; /* or among the requests of its connection */
	struct worker *worker;
	struct proxy_header_reader *header; /* while it reads the PROXY header */
	struct stream *stream;              /* until the server has it */
	const struct connection_ops *ops;   /* NULL until there can be requests */
	struct h1_server *http;             /* HTTP/1.1 */
	struct h2_call *call;               /* one request of HTTP/2 */
	struct h2_server *h2;               /* HTTP/2; it has */
	struct list requests;               /* these */
	struct exchange *exchange;          /* the one being answered, or NULL */
	struct addr peer;                   /* the client, as far as the connection tells */
	struct addr local;                  /* what it connected to; unset if that is not known */
	uint64_t began_ms;
	struct handshake_place handshake;
	struct peer_certificate
		*certificate; /* referenced; known after the handshake; NULL: none */
	bool speaks_h2;       /* agreed in the handshake */
};

/* Takes the accepted stream. */
void connection_open(struct worker *worker, struct stream *stream, const struct addr *peer);

/* For handshake.c: the stream is ready for requests / there will be none; e is logged unless that was a probe. */
void connection_serve(struct connection *c);
void connection_fail(struct connection *c, const struct err *e, enum stream_close how);

/* For the exchange: answers it. */
void connection_respond(struct connection *c, const struct http_response *response);

/* For the exchange: gives it the client's stream; the connection is gone. See h1_server_take_tunnel(); with HTTP/2 nothing
 * is left to be sent first. */
struct stream *connection_take_tunnel(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early);

/* The request that is in progress, or else the next one, is the last one; see h1_server_finish(). */
void connection_finish(struct connection *c);

/* Nobody has asked for anything that is not done. */
bool connection_is_idle(const struct connection *c);

/* Aborts the exchange, if there is one, with that reason. */
void connection_close(struct connection *c, const char *why);

/* For connection_h2.c: what all ways out have in common; the second gives its place to the next one. */
void connection_forget(struct connection *c);
void connection_leave(struct connection *c);
void connection_log(struct connection *c, const char *message, const char *reason,
		    const struct err *e);
