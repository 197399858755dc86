#pragma once

/*
 * connect_client.h - the client side of CONNECT (RFC 9110 section 9.3.6, protocol.md 1.1), connect-udp (1.10.2) and of
 *		      WebSockets that carry a tunnel (websocket.h)
 *
 * Sends CONNECT with Host and the headers given (User-Agent among them); reads one response head.
 * 200 and nothing else opens the tunnel: the stream is handed over together with bytes that came
 * after the head. Any other status is reported with its head (1xx included: they are not
 * skipped), and the stream is closed. With is_udp the tunnel carries capsules (capsule.h). With is_websocket it is 101
 * that opens the tunnel, and counts as 200.
 *
 * Ownership  Takes the stream. The operation belongs to the caller until on_done has run or it
 *            was cancelled.
 */

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"
#include "io/stream.h"

#define CONNECT_HEADERS_MAX 8

struct loop;
struct connect_client;

struct connect_request {
	struct str target; /* host:port, verbatim */
	const struct http_header *headers;
	size_t header_count;
	uint64_t timeout_ms;
	bool is_udp;       /* at most CONNECT_HEADERS_MAX headers then */
	bool is_websocket; /* likewise */
	struct str
		host; /* for a WebSocket: the gateway's own name, and its port if that is not the usual one */
};

struct connect_result {
	int status;
	struct http_headers headers; /* valid during the call */
	struct stream *stream;       /* status 200: belongs to the callee */
	struct buf early;            /* status 200: belongs to the callee */
};

struct connect_client *connect_client_start(
	struct loop *loop, struct stream *stream, const struct connect_request *request,
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e), void *arg);
void connect_client_cancel(struct connect_client *c);
