#pragma once

/*
 * udp_session.h - the packets of one local address, through a tunnel of its own (protocol.md 8.10)
 *
 * To the tunnel it is a local side like any other: a stream of capsules. What the local program sends before the tunnel is
 * there, or faster than it takes, is kept up to UDP_SESSION_QUEUE_MAX bytes and lost beyond that.
 *
 * Ownership  Belongs to the caller until on_done has run or it was closed.
 * Threads    One loop.
 * Errors     Only through on_done, later.
 */

#include "base/addr.h"
#include "base/list.h"
#include "cli/exit_status.h"
#include "cli/local_tunnel.h"
#include "io/udp.h"

#define UDP_SESSION_QUEUE_MAX (512u * 1024)

struct udp_session;

/* What all sessions of a listener share; borrowed. */
struct udp_session_context {
	const struct local_tunnel_context *tunnels; /* to a gateway that is asked for UDP */
	struct udp_socket *socket;                  /* through which answers go */
	/* A packet came from the gateway. */
	void (*on_active)(void *arg, struct udp_session *s);
	/* e says why no tunnel came about; NULL: there was one, and it has ended. The session is gone afterwards. */
	void (*on_done)(void *arg, struct udp_session *s, const struct err *e);
	void *arg;
};

struct udp_session *udp_session_start(const struct udp_session_context *context,
				      const struct addr *source);

/* on_done will not run. */
void udp_session_close(struct udp_session *s);

/* A packet from the local address. False: there was no room for it. */
bool udp_session_send(struct udp_session *s, struct str packet);

const struct addr *udp_session_source(const struct udp_session *s);

/* For the caller's list. */
struct list_node *udp_session_node(struct udp_session *s);
struct udp_session *udp_session_from_node(struct list_node *node);
