#pragma once

/*
 * connect_udp.h - how a UDP tunnel is asked for with HTTP/1.1 (RFC 9298, protocol.md 1.10.2)
 *
 *	GET /.well-known/masque/udp/<host>/<port>/ HTTP/1.1
 *	Connection: Upgrade
 *	Upgrade: connect-udp
 *	Capsule-Protocol: ?1
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"

/*
 * True if that is what the request asks for, and its path names a destination: that as "host:port", IPv6 in brackets, in the
 * arena. Anything else is an ordinary request.
 */
bool connect_udp_is_request(const struct http_request *request, struct arena *arena,
			    struct str *ret_authority);

/* The path for "host:port". False if that is no such thing, or does not fit. */
bool connect_udp_write_path(struct buf *out, struct str authority);
