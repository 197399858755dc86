#pragma once

/*
 * udp_tunnel.h - a UDP upstream as a stream of capsules (http/capsule.h)
 *
 * For the relay it is a stream like any other: what it writes are capsules, whose packets are sent; what it reads are capsules with
 * the packets that came. Not reading is no backpressure here: what the kernel cannot keep is lost, as UDP is. Nothing else ends
 * the stream than its owner: a shutdown ends both directions.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled; the stream to the callee.
 * Threads    That of the loop.
 * Errors     Only through on_done, later: ERR_DNS, ERR_TIMEOUT, ERR_UNREACHABLE. Whether anybody listens there is not known.
 */

#include "base/addr.h"
#include "base/err.h"
#include "io/dial.h"

struct loop;
struct resolver;
struct stream;
struct udp_dial;

/* A socket that sends to that address. */
struct stream *udp_tunnel_open(struct loop *loop, const struct addr *peer, struct err *e);

/* The name is looked up first; the first address to which there is a way is taken. */
struct udp_dial *udp_dial_start(struct loop *loop, struct resolver *resolver,
				const struct dial_target *target,
				void (*on_done)(void *arg, struct stream *stream,
						const struct addr *peer, const struct err *e),
				void *arg);

/* on_done will not run. NULL is ignored. */
void udp_dial_cancel(struct udp_dial *d);
