#pragma once

/*
 * local_proxy.h - the local port that speaks HTTP and SOCKS5 (protocol.md 8.7, RFC 1928)
 *
 * The first byte tells which. Of HTTP there is CONNECT, and one request for an http:// address, which is forwarded. Names of the
 * domains go through the gateway, everything else directly or through the proxy that the user has set. /proxy.pac tells
 * browsers the same.
 *
 * A web page must not be able to use it: requests with an Origin are refused, and the pages of the proxy itself are given
 * only to who calls it by an address of this machine.
 *
 * Ownership  Belongs to the caller, who closes it.
 * Threads    One loop.
 * Limits     LOCAL_PROXY_REQUEST_MS until a program has said what it wants.
 */

#include "base/str.h"

#define LOCAL_PROXY_REQUEST_MS 30000

struct client;
struct local_proxy;
struct stream;

/* Everything is borrowed. */
struct local_proxy_options {
	struct client *client;
	const char *const *domains; /* NULL-terminated */
	const char *gateway_url;    /* NULL: the gateway is the host that is asked for */
};

struct local_proxy *local_proxy_new(const struct local_proxy_options *options);

/* Under which others connect: for /proxy.pac. Copied. */
void local_proxy_set_address(struct local_proxy *proxy, struct str address);

/* Takes the stream. */
void local_proxy_serve(struct local_proxy *proxy, struct stream *stream);

/* NULL is ignored. */
void local_proxy_close(struct local_proxy *proxy);
