#pragma once

/*
 * local_tunnel.h - one local connection, from its acceptance to its end
 *
 * The local side is held unread until the tunnel is open, through a login if there has to be one, and then relayed.
 *
 * Ownership  Takes the local stream and closes it in every case. Belongs to the caller until on_done has run or it was
 *            closed.
 * Threads    One loop.
 * Errors     Only through on_done, later.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "cli/exit_status.h"

#define LOCAL_TUNNEL_LINGER_MS 10000

struct credentials;
struct end_questions;
struct events;
struct gateway;
struct login;
struct stream;
struct local_tunnel;

/* What all tunnels of the process share; borrowed. */
struct local_tunnel_context {
	const struct gateway *gateway;
	const struct events *events;
	struct credentials *credentials;
	struct login *login;
	struct end_questions *questions;
	uint64_t idle_ms; /* a tunnel without bytes for so long ends; 0: none does */
};

/*
 * e says why no tunnel came about; it is the callee's to report. NULL: there was a tunnel, and how it ended has been
 * logged.
 */
typedef void local_tunnel_done_fn(void *arg, struct local_tunnel *t, enum exit_status status,
				  const struct err *e);

struct local_tunnel *local_tunnel_start(const struct local_tunnel_context *context,
					struct stream *local, local_tunnel_done_fn *on_done,
					void *arg);

/*
 * The same for a local side that has to be answered first: take is called once, when the tunnel is open, and hands the stream
 * over, with what goes to it before anything else and what has come from it already; the buffers are empty before.
 */
struct local_side {
	struct stream *stream;
	struct buf to_local;
	struct buf from_local;
};

typedef void local_tunnel_take_fn(void *arg, struct local_side *ret);

struct local_tunnel *local_tunnel_start_held(const struct local_tunnel_context *context,
					     local_tunnel_take_fn *take,
					     local_tunnel_done_fn *on_done, void *arg);

/* on_done will not run. */
void local_tunnel_close(struct local_tunnel *t);

/* For the caller's list of tunnels. */
struct list_node *local_tunnel_node(struct local_tunnel *t);
struct local_tunnel *local_tunnel_from_node(struct list_node *node);
