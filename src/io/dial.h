#pragma once

/*
 * dial.h - open a TCP connection to a host name or address
 *
 * Resolves the name and tries the addresses in staggered order (Happy Eyeballs, RFC 8305: alternating families,
 * DIAL_STAGGER_MS between attempts, the first that connects wins). Does not speak TLS; wrap the result with
 * tls_stream_open().
 *
 * Ownership  The operation belongs to the caller until on_done has run or dial_cancel() was called. The stream
 *            given to on_done belongs to the callee.
 * Threads    Runs on the loop of the resolver; on_done is called from that loop.
 * Errors     Only through on_done, never from inside dial_start(): ERR_DNS, ERR_REFUSED, ERR_UNREACHABLE,
 *            ERR_TIMEOUT, ERR_LIMIT (descriptors) or ERR_SYSTEM, with a sentence that names host and port.
 * Limits     RESOLVER_ADDRESSES_MAX addresses; the whole attempt, resolution included, ends after timeout_ms.
 */

#include "io/resolver.h"
#include "io/stream.h"

#define DIAL_STAGGER_MS 250
#define DIAL_TIMEOUT_MS 10000

struct dial;

/* Which of a name's addresses count; an IP literal is dialed whatever it is. */
enum dial_family {
	DIAL_BOTH,     /* raced, IPv4 first */
	DIAL_IP4_ELSE, /* IPv6 only if there is no IPv4 address */
	DIAL_IP6_ELSE, /* IPv4 only if there is no IPv6 address */
	DIAL_IP4_ONLY,
	DIAL_IP6_ONLY,
};

/* What resolver_query_start() is asked for. */
int dial_families(enum dial_family family);

struct dial_target {
	struct str host; /* name or IP literal without brackets; copied */
	uint16_t port;
	uint64_t timeout_ms;
	enum dial_family family;
};

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
			const struct dial_target *target,
			void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
					const struct err *e),
			void *arg);

/* Gives up. on_done will not run. NULL is ignored. */
void dial_cancel(struct dial *d);
