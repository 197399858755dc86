#pragma once

/*
 * connection.h - one client connection: TLS, HTTP/1.1, one exchange at a time
 *
 * Ownership  Lives in the list of its worker until the client or the worker closes it, or a tunnel takes its stream.
 * Threads    That of its worker.
 * Limits     CONNECTION_HEAD_TIMEOUT_MS covers the TLS handshake and the first request head.
 */

#include "base/addr.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/http.h"

#define CONNECTION_HEAD_TIMEOUT_MS 30000
#define CONNECTION_IDLE_TIMEOUT_MS 300000

struct exchange;
struct h1_server;
struct peer_certificate;
struct stream;
struct worker;

struct connection {
	struct list_node in_worker;
	struct worker *worker;
	struct h1_server *http;
	struct exchange *exchange; /* the one being answered, or NULL */
	struct addr peer;
	struct peer_certificate
		*certificate; /* referenced; looked up at the first request; NULL: none */
};

/* Takes the accepted stream. */
void connection_open(struct worker *worker, struct stream *stream, const struct addr *peer);

/* For the exchange: answers it. */
void connection_respond(struct connection *c, const struct http_response *response);

/* For the exchange: gives it the client's stream; the connection is gone. See h1_server_take_tunnel(). */
struct stream *connection_take_tunnel(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early);

/* Aborts the exchange, if there is one, with that reason. */
void connection_close(struct connection *c, const char *why);
