#pragma once

/*
 * tunnel_path.h - the path that names the destination of a tunnel, where no CONNECT does (RFC 9298 section 3)
 *
 *	/.well-known/masque/udp/<host>/<port>/
 *	/.well-known/masque/tcp/<host>/<port>/
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define TUNNEL_PATH_TCP "/.well-known/masque/tcp/"
#define TUNNEL_PATH_UDP "/.well-known/masque/udp/"

/*
 * The destination as "host:port", IPv6 in brackets, in the arena; the host may be percent-encoded and the last slash missing.
 * False if it is no such path, or names none.
 */
bool tunnel_path_read(struct str path, struct str prefix, struct arena *arena,
		      struct str *ret_authority);

/* The path for "host:port". False if that is no such thing, or does not fit. */
bool tunnel_path_write(struct buf *out, struct str prefix, struct str authority);
