#pragma once

/*
 * http_peer.h - a small HTTP server on the loop of the test: 127.0.0.1, a port of the kernel's choice
 */

#include <stdint.h>

#include "http/http.h"
#include "io/stream.h"

struct h1_server;
struct http_peer;
struct loop;

/* A request that came in. */
struct http_peer_call {
	struct http_peer *peer;
	struct h1_server *server;
	const struct http_request *request; /* until answered */
	void *arg;                          /* of http_peer_open() */
};

/* on_request answers with http_peer_respond(), at once or later, or not at all: the call lives as long as the
 * connection does. */
struct http_peer *http_peer_open(struct loop *loop, void (*on_request)(struct http_peer_call *call),
				 void *arg);
uint16_t http_peer_port(const struct http_peer *peer);

/* Connections so far, and those that are open now. */
unsigned http_peer_accepted(const struct http_peer *peer);
unsigned http_peer_connected(const struct http_peer *peer);

/* One more connection, from elsewhere. */
void http_peer_serve(struct http_peer *peer, struct stream *stream);

void http_peer_respond(struct http_peer_call *call, const struct http_response *response);

/* Without an answer. */
void http_peer_hang_up(struct http_peer_call *call);

void http_peer_close(struct http_peer *peer);
