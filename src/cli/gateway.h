#pragma once

/*
 * gateway.h - open a stream to the gateway: TCP, through a proxy if there is one, and TLS over it if the destination says https
 *
 * The TLS handshake is driven by whoever uses the stream first.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled; the stream belongs to
 *            the callee.
 * Errors     Only through on_done, later.
 */

#include <stdbool.h>

#include "base/err.h"

struct destination;
struct loop;
struct proxy_options;
struct resolver;
struct stream;
struct tls_config;
struct transport;

/* Everything is borrowed. */
struct gateway {
	struct loop *loop;
	struct resolver *resolver;
	struct tls_config *tls; /* used if the destination says so */
	const struct destination *destination;
	const struct proxy_options *proxies; /* NULL: reached directly */
	struct transport *transport; /* shared connections for tunnels; NULL: each has its own */
	bool carries_udp;            /* what its tunnels are asked for */
};

struct gateway_dial;

struct gateway_dial *gateway_dial_start(const struct gateway *gateway,
					void (*on_done)(void *arg, struct stream *stream,
							const struct err *e),
					void *arg);

/* on_done will not run. NULL is ignored. */
void gateway_dial_cancel(struct gateway_dial *d);
