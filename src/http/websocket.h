#pragma once

/*
 * websocket.h - how a tunnel is asked for as a WebSocket (RFC 6455 section 4, RFC 8441)
 *
 *	GET /.well-known/masque/tcp/<host>/<port>/ HTTP/1.1
 *	Host: <the gateway>
 *	Connection: Upgrade
 *	Upgrade: websocket
 *	Sec-WebSocket-Version: 13
 *	Sec-WebSocket-Key: <16 random bytes in base64>
 *
 * Binary messages carry the bytes of the tunnel, wherever their frames begin and end; a close frame is the end of one direction.
 * With HTTP/2 it is an extended CONNECT to the same path, without a key.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/http.h"

#define WEBSOCKET_VERSION    "13"
#define WEBSOCKET_KEY_LEN    24 /* as text */
#define WEBSOCKET_ACCEPT_LEN 28

/*
 * True if that is what the request asks for, and its path names a destination: that as in tunnel_path.h. Anything else is an
 * ordinary request.
 */
bool websocket_is_request(const struct http_request *request, struct arena *arena,
			  struct str *ret_authority);

/*
 * Whether such a request asks for the version there is, and with HTTP/1.1 has one key that is one. 0, or the status of the
 * refusal: 426 for the version, and the answer has to name WEBSOCKET_VERSION (section 4.4).
 */
int websocket_check(const struct http_request *request, struct err *e);

/* For the client: NUL-terminated, new each time. */
void websocket_make_key(char out[WEBSOCKET_KEY_LEN + 1]);

/* What the server answers to that key; NUL-terminated. */
void websocket_accept(struct str key, char out[WEBSOCKET_ACCEPT_LEN + 1]);

/* For the client: whether the answer, a 101, opens what was asked for with that key. */
int websocket_check_answer(const struct http_headers *headers, struct str key, struct err *e);
