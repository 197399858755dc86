#pragma once

/*
 * kept_tunnel.h - a local address that leads to one destination for as long as the program runs
 *
 * A connection whose gateway or upstream cannot be reached is held and tried again, with growing pauses, for
 * KEPT_TUNNEL_PATIENCE_MS: a network that is away for a moment is not an error for whoever connects. Other refusals are logged
 * and end the connection.
 *
 * Ownership  Belongs to the caller, who closes it before the client. What the options name is borrowed, but the destination
 *            is taken over when it could be opened.
 * Threads    One loop.
 */

#include "base/err.h"
#include "cli/destination.h"
#include "cli/local_listener.h"

#define KEPT_TUNNEL_PATIENCE_MS 120000

struct client;
struct kept_tunnel;

struct kept_tunnel_options {
	struct client *client;
	struct destination *destination;
	struct local_address address;
	/* If the address is in use or not allowed, any port of the same host will do. */
	bool may_use_another_port;
};

struct kept_tunnel *kept_tunnel_open(const struct kept_tunnel_options *options, struct err *e);

/* As local_listener_format(). */
void kept_tunnel_format(const struct kept_tunnel *k, char out[LOCAL_LISTENER_TEXT_MAX]);
const struct destination *kept_tunnel_destination(const struct kept_tunnel *k);

/* NULL is ignored. */
void kept_tunnel_close(struct kept_tunnel *k);
