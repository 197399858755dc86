#pragma once

/*
 * transport.h - CONNECT to the gateway, over whatever there is: a stream of an HTTP/2 connection that tunnels share, or a
 *		 connection of HTTP/1.1 for itself (protocol.md 1.1, 1.3), as CONNECT or as a WebSocket
 *
 * Automatically: what the gateway agrees to in the TLS handshake. A gateway, or something before it, that says HTTP/2 and
 * then cannot do CONNECT with it is asked again over HTTP/1.1 without a word. A connection that the gateway takes out
 * of service (GOAWAY) keeps its tunnels; new ones get another connection.
 *
 * Ownership  Calls belong to the caller until on_done has run or they were cancelled; before the transport is freed.
 * Errors     Only through on_done, later.
 */

#include "http/connect_client.h"

#define TRANSPORT_HANDSHAKE_MS 30000

/* A request that was not looked at (REFUSED_STREAM) is made again over another connection, so many times. */
#define TRANSPORT_REFUSALS_MAX 5

struct gateway;
struct tls_config;
struct transport;
struct transport_call;

enum transport_mode { TRANSPORT_AUTO, TRANSPORT_H1, TRANSPORT_H2, TRANSPORT_WS };

/* "auto", "h1", "h2", "ws"; NULL: auto. */
int transport_mode_parse(const char *text, enum transport_mode *ret, struct err *e);

/*
 * The shared connections of one gateway; gateway is copied, what it points to and tls are borrowed. tls: like the
 * gateway's, but offering HTTP/2 as well.
 */
struct transport *transport_new(const struct gateway *gateway, struct tls_config *tls,
				enum transport_mode mode);

/* NULL is ignored. */
void transport_free(struct transport *t);

/* Like connect_client_start(). gateway->transport may be NULL: HTTP/1.1 then. What the request points to is borrowed. */
struct transport_call *transport_connect(
	const struct gateway *gateway, const struct connect_request *request,
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e), void *arg);

/* on_done will not run. NULL is ignored. */
void transport_cancel(struct transport_call *call);
