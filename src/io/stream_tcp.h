#pragma once

/*
 * stream_tcp.h - a stream over a connected socket
 *
 * Sets TCP_NODELAY and keepalive (first probe after KEEPALIVE_IDLE_S seconds), so that a peer that
 * vanished is noticed. Works on any stream socket, socketpairs included.
 */

#include "base/addr.h"
#include "io/stream.h"

#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES     4

struct loop;

/* Takes a non-blocking descriptor; on failure it is closed. */
struct stream *stream_tcp_open(struct loop *loop, int fd, struct err *e);

/* Our own end. Unset if it is not an IP address, or s is not one of these streams. */
void stream_tcp_local_address(struct stream *s, struct addr *ret);
