/*
 * Sources are found by the bytes of their address. Those with a session are in a list, the one that was active last at its
 * end; those that failed are in another, in the order in which they may try again. A source is in one of the two.
 */

#include "cli/udp_listener.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/events.h"
#include "cli/events_udp.h"
#include "cli/gateway.h"
#include "cli/local_listener.h"
#include "cli/udp_session.h"
#include "io/loop.h"
#include "io/udp.h"

#define PACKETS_PER_TURN 256

struct source {
	struct list_node node;
	struct addr address;
	struct udp_session *session; /* NULL: the last one failed */
	uint64_t active_ms;          /* or when it failed */
};

struct udp_listener {
	struct loop *loop;
	const struct events *events;
	struct udp_session_context sessions;
	struct udp_socket socket;
	struct map sources;
	struct list active; /* longest silent first */
	struct list failed; /* oldest first */
	size_t active_count;
	struct later later;
	bool is_full; /* and that was said */
};

static struct str key_of(const struct addr *address)
{
	return str_of(address, addr_len(address));
}

static void forget(struct udp_listener *l, struct source *source)
{
	(void)map_remove(&l->sources, key_of(&source->address)); /* it is the one that goes */
	list_remove(&source->node);
	if (source->session)
		l->active_count--;
	l->is_full = false;
	mem_free(source);
}

static void move_to_end(struct udp_listener *l, struct source *source)
{
	source->active_ms = loop_now_ms(l->loop);
	list_remove(&source->node);
	list_append(source->session ? &l->active : &l->failed, &source->node);
}

static struct source *find(const struct udp_listener *l, const struct addr *address)
{
	return map_get(&l->sources, key_of(address));
}

/* ---- sessions ---- */

static void on_active(void *arg, struct udp_session *session)
{
	struct udp_listener *l = arg;

	move_to_end(l, find(l, udp_session_source(session)));
}

static void on_done(void *arg, struct udp_session *session, const struct err *e)
{
	struct udp_listener *l = arg;
	struct source *source = find(l, udp_session_source(session));

	events_udp_session(l->events, &source->address, false);
	if (!e) {
		forget(l, source);
		return;
	}
	events_failed(l->events, e);
	source->session = NULL;
	l->active_count--;
	l->is_full = false;
	move_to_end(l, source);
}

static void end_session(struct udp_listener *l, struct source *source)
{
	events_udp_session(l->events, &source->address, false);
	udp_session_close(source->session);
	forget(l, source);
}

static bool has_been_silent(const struct udp_listener *l, const struct source *source,
			    uint64_t time_ms)
{
	return source->active_ms + time_ms <= loop_now_ms(l->loop);
}

/* Those that may try again need not be remembered. */
static void forget_failed(struct udp_listener *l)
{
	LIST_FOREACH (&l->failed, node) {
		struct source *source = container_of(node, struct source, node);

		if (!has_been_silent(l, source, UDP_RETRY_MS) &&
		    l->sources.count < UDP_SESSIONS_MAX)
			return;
		forget(l, source);
	}
}

static bool make_room(struct udp_listener *l)
{
	struct source *oldest;

	forget_failed(l);
	if (l->active_count < UDP_SESSIONS_MAX)
		return true;
	oldest = container_of(l->active.head.next, struct source, node); /* it is full: not empty */
	if (has_been_silent(l, oldest, UDP_SPARE_MS)) {
		end_session(l, oldest);
		return true;
	}
	if (!l->is_full)
		events_udp_full(l->events, UDP_SESSIONS_MAX);
	l->is_full = true;
	return false;
}

static struct source *add_source(struct udp_listener *l, const struct addr *address)
{
	struct source *source;

	if (!make_room(l))
		return NULL;
	source = mem_alloc(sizeof(*source));
	source->address = *address;
	(void)map_put(&l->sources, key_of(address), source); /* it was not there */
	events_udp_session(l->events, address, true);
	source->session = udp_session_start(&l->sessions, address);
	l->active_count++;
	return source;
}

static void deliver(struct udp_listener *l, struct str packet, const struct addr *from)
{
	struct source *source = find(l, from);

	if (source && !source->session) {
		if (!has_been_silent(l, source, UDP_RETRY_MS))
			return;
		forget(l, source);
		source = NULL;
	}
	if (!source)
		source = add_source(l, from);
	if (!source)
		return;
	move_to_end(l, source);
	(void)udp_session_send(source->session, packet); /* or it is lost */
}

/* ---- the socket ---- */

static void receive(struct udp_listener *l);

static void on_later(struct later *later)
{
	receive(container_of(later, struct udp_listener, later));
}

static void receive(struct udp_listener *l)
{
	uint8_t *block = loop_block_get(l->loop);
	struct addr from;
	ssize_t count = 0;

	for (int i = 0; i < PACKETS_PER_TURN && count >= 0; i++) {
		count = udp_receive(&l->socket, block, UDP_PACKET_MAX, &from);
		if (count >= 0)
			deliver(l, str_of(block, (size_t)count), &from);
	}
	loop_block_put(l->loop, block);
	if (count >= 0)
		later_start(&l->later, l->loop, on_later);
}

static void on_readable(struct udp_socket *socket)
{
	receive(container_of(socket, struct udp_listener, socket));
}

struct udp_listener *udp_listener_open(const struct local_tunnel_context *tunnels,
				       const struct addr *address, struct err *e)
{
	struct udp_listener *l = mem_alloc(sizeof(*l));

	l->loop = tunnels->gateway->loop;
	l->events = tunnels->events;
	l->sessions = (struct udp_session_context){ .tunnels = tunnels,
						    .socket = &l->socket,
						    .on_active = on_active,
						    .on_done = on_done,
						    .arg = l };
	l->socket.on_readable = on_readable;
	if (udp_bind(&l->socket, l->loop, address, e) < 0) {
		mem_free(l);
		return NULL;
	}
	local_listener_warn(l->events, address);
	map_init(&l->sources);
	list_init(&l->active);
	list_init(&l->failed);
	later_start(&l->later, l->loop, on_later);
	return l;
}

void udp_listener_address(const struct udp_listener *l, struct addr *ret)
{
	udp_address(&l->socket, ret);
}

void udp_listener_close(struct udp_listener *l)
{
	if (!l)
		return;
	LIST_FOREACH (&l->active, node)
		end_session(l, container_of(node, struct source, node));
	LIST_FOREACH (&l->failed, node)
		forget(l, container_of(node, struct source, node));
	map_done(&l->sources);
	later_cancel(&l->later);
	udp_close(&l->socket);
	loop_free_later(l->loop, l);
}
