#pragma once

/*
 * connection.h - one client connection: PROXY header, TLS, HTTP/1.1, one exchange at a time
 *
 * Ownership  Lives in the list of its worker until the client or the worker closes it, or a tunnel takes its stream.
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

struct exchange;
struct h1_server;
struct peer_certificate;
struct proxy_header_reader;
struct worker;

struct connection {
	struct list_node in_worker;
	struct worker *worker;
	struct proxy_header_reader *header; /* while it reads the PROXY header */
	struct stream *stream;              /* until the server has it */
	struct h1_server *http;
	struct exchange *exchange; /* the one being answered, or NULL */
	struct addr peer;          /* the client, as far as the connection tells */
	struct addr local;         /* what it connected to; unset if that is not known */
	uint64_t began_ms;
	struct handshake_place handshake;
	struct peer_certificate
		*certificate; /* referenced; known after the handshake; NULL: none */
};

/* Takes the accepted stream. */
void connection_open(struct worker *worker, struct stream *stream, const struct addr *peer);

/* For handshake.c: the stream is ready for requests / there will be none; e is logged unless that was a probe. */
void connection_serve(struct connection *c);
void connection_fail(struct connection *c, const struct err *e, enum stream_close how);

/* For the exchange: answers it. */
void connection_respond(struct connection *c, const struct http_response *response);

/* For the exchange: gives it the client's stream; the connection is gone. See h1_server_take_tunnel(). */
struct stream *connection_take_tunnel(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early);

/* The request that is in progress, or else the next one, is the last one; see h1_server_finish(). */
void connection_finish(struct connection *c);

/* Aborts the exchange, if there is one, with that reason. */
void connection_close(struct connection *c, const char *why);
