#pragma once

/*
 * socks5_server.h - what a local program says to a SOCKS5 server (RFC 1928), pure
 *
 * Without authentication, for CONNECT. Strict: another version, reserved bits, an empty name or port 0 are refused.
 *
 * Ownership  Embedded in its user; the struct owns nothing.
 * Limits     SOCKS5_SERVER_MESSAGE_MAX bytes until the target is known.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define SOCKS5_SERVER_MESSAGE_MAX 600 /* a greeting and a request of the greatest length */
#define SOCKS5_SERVER_TARGET_MAX  (255 + 8)

enum socks5_answer {
	SOCKS5_SUCCEEDED = 0,
	SOCKS5_FAILED = 1,
	SOCKS5_NOT_ALLOWED = 2,
	SOCKS5_HOST_UNREACHABLE = 4,
	SOCKS5_REFUSED = 5,
	SOCKS5_NO_SUCH_COMMAND = 7,
	SOCKS5_NO_SUCH_ADDRESS = 8,
};

enum socks5_event {
	SOCKS5_MORE,    /* send the reply, if there is one, and read on */
	SOCKS5_REQUEST, /* target is known; answer with socks5_server_answer() */
	SOCKS5_BAD,     /* send the reply, if there is one, and close */
};

struct socks5_server {
	bool has_greeting;
	char target[SOCKS5_SERVER_TARGET_MAX + 1]; /* "host:port", a valid CONNECT target */
};

/* Takes whole messages from the front of data, and appends what is to be sent. */
enum socks5_event socks5_server_feed(struct socks5_server *s, struct buf *data, struct buf *reply);

void socks5_server_answer(enum socks5_answer answer, struct buf *reply);
