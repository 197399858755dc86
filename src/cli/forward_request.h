#pragma once

/*
 * forward_request.h - a request for an http:// address that a program sends to its proxy (RFC 9112 3.2.2)
 *
 * Its head is written anew for the server: the target without scheme and authority, Host from the target whatever the program's
 * own Host says, without what is meant for the proxy or for the connection (RFC 9110 7.6.1), with Connection: close. Of the body
 * nothing changes, its framing included. If the server is a proxy in its turn it gets the whole address again, and the
 * credentials that are meant for it.
 *
 * Ownership  forward_request_done() releases and wipes; heads carry credentials.
 */

#include "base/buf.h"
#include "base/str.h"
#include "http/h1_parse.h"

struct forward_request {
	char *target;    /* host:port */
	char *authority; /* as the program has written it */
	struct buf head; /* for the server */
	struct h1_body body;
	size_t head_len; /* of the program's head */
};

enum forward_found {
	FORWARD_MORE,    /* not to be told yet */
	FORWARD_REQUEST, /* *ret is filled */
	FORWARD_NONE, /* something else, or broken, or by a web page: for an h1_server to read and answer */
};

/* received is everything so far; the scanner begins zeroed. At HTTP_HEAD_MAX bytes the answer is not FORWARD_MORE any more. */
enum forward_found forward_request_read(struct h1_scanner *scanner, struct str received,
					struct forward_request *ret);

/* Makes the head one for a proxy. authorization is the value of its header; empty: none. */
void forward_request_address_proxy(struct forward_request *f, struct str authorization);

/* Of a zeroed one too. */
void forward_request_done(struct forward_request *f);
