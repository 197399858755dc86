#pragma once

/*
 * upstream_connect.h - from a target to a stream that is ready for the client's bytes
 *
 * The connection (TCP, a local socket, or capsules over UDP), a PROXY header as its first bytes if the route wants one, and for targets that are proxies
 * themselves TLS and their own CONNECT.
 *
 * Ownership  All options are copied; the TLS configuration is referenced. The operation belongs to the caller until on_done has run
 *            or it was cancelled. What on_done is given belongs to the callee.
 * Threads    One loop.
 * Errors     Only through on_done, never from inside upstream_connect_start(): those of dial.h, ERR_TLS, ERR_PROTOCOL, and
 *            ERR_REFUSED for a proxy that answers anything but 200; its status is in the text.
 */

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "http/http.h"
#include "io/dial.h"

struct loop;
struct resolver;
struct stream;
struct tls_config;
struct upstream_connect;

#define UPSTREAM_HEADERS_MAX 4

struct upstream_connect_options {
	struct loop *loop;
	struct resolver *resolver;
	const struct config_target *target;
	enum dial_family family;
	uint64_t timeout_ms; /* for all of it */
	enum config_proxy_header proxy_header;
	struct addr source;      /* for that header: the client */
	struct addr destination; /* what the client connected to; unset: the target's own address */
	/* for proxies */
	struct tls_config *tls;
	struct str server_name; /* empty: the host of the target */
	struct str authority;   /* what the client asked for */
	struct http_header headers[UPSTREAM_HEADERS_MAX];
	size_t header_count;
};

struct upstream_connected {
	struct stream *stream;
	struct addr address; /* unset for a local socket */
	struct buf early;    /* bytes of the tunnel that came already */
};

struct upstream_connect *upstream_connect_start(
	const struct upstream_connect_options *options,
	void (*on_done)(void *arg, struct upstream_connected *connected, const struct err *e),
	void *arg);

/* on_done will not run. NULL is ignored. */
void upstream_connect_cancel(struct upstream_connect *c);
