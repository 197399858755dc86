#pragma once

/*
 * socks5.h - the client side of SOCKS version 5 (RFC 1928), with user and password (RFC 1929)
 *
 * Speaks over a stream that leads to the proxy and asks it for a connection. Never reads a byte behind the proxy's answer:
 * that one belongs to the destination.
 *
 * Ownership  Takes the stream; the one given to on_done belongs to the callee. The operation belongs to the caller until
 *            on_done has run or it was cancelled.
 * Errors     Only through on_done, later; the sentence does not name the proxy, and never the password.
 * Limits     SOCKS5_TEXT_MAX bytes each of host, user and password (the protocol's own).
 */

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SOCKS5_TEXT_MAX 255

struct loop;
struct socks5;
struct stream;

struct socks5_request {
	struct str host; /* a name that the proxy resolves, or an IP literal without brackets */
	uint16_t port;
	struct str user; /* empty: no authentication is offered */
	struct str password;
	uint64_t timeout_ms;
};

/* Copies what it needs of the request. */
struct socks5 *socks5_start(struct loop *loop, struct stream *stream,
			    const struct socks5_request *request,
			    void (*on_done)(void *arg, struct stream *stream, const struct err *e),
			    void *arg);

/* on_done will not run. NULL is ignored. */
void socks5_cancel(struct socks5 *s);
