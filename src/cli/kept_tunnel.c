/*
 * kept_tunnel.c - local connections, each TRYING until its tunnel is open or its patience is over
 *
 *	TRYING -- open -----------------------> relayed, by local_tunnel
 *	  ^  |
 *	  |  +-- not reachable ----> PAUSING -+
 *	  +-----------------------------------+
 */

#include "cli/kept_tunnel.h"

#include "base/mem.h"
#include "cli/backoff.h"
#include "cli/client.h"

struct kept_tunnel {
	struct client *client;
	struct destination destination;
	struct gateway gateway;
	struct local_tunnel_context context;
	struct local_listener *listener;
	struct list connections;
};

struct connection {
	struct list_node node;
	struct kept_tunnel *kept;
	struct stream *stream; /* NULL: handed over to the tunnel */
	struct local_tunnel *tunnel;
	struct timer pause;
	struct backoff backoff;
	uint64_t patient_until_ms;
};

static void ignore_event(void *arg, unsigned events)
{
}

static void close_connection(struct connection *c)
{
	list_remove(&c->node);
	timer_cancel(&c->pause);
	if (c->tunnel)
		local_tunnel_close(TAKE(c->tunnel));
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	loop_free_later(c->kept->client->loop, c);
}

static void try_tunnel(struct connection *c);

static void on_pause_over(struct timer *timer)
{
	try_tunnel(container_of(timer, struct connection, pause));
}

static void take_stream(void *arg, struct local_side *ret)
{
	struct connection *c = arg;

	ret->stream = TAKE(c->stream);
}

static void on_tunnel_done(void *arg, struct local_tunnel *tunnel, enum exit_status status,
			   const struct err *e)
{
	struct connection *c = arg;
	struct loop *loop = c->kept->client->loop;
	uint64_t next_ms;

	c->tunnel = NULL; /* it closes itself */
	if (!c->stream || !e) {
		close_connection(c);
		return;
	}
	next_ms = loop_now_ms(loop) + backoff_next_ms(&c->backoff);
	if (status != EXIT_STATUS_UNREACHABLE || next_ms > c->patient_until_ms) {
		events_failed(&c->kept->client->events, e);
		close_connection(c);
		return;
	}
	events_warning(&c->kept->client->events, "trying again", e);
	timer_start(&c->pause, loop, next_ms, on_pause_over);
}

static void try_tunnel(struct connection *c)
{
	c->tunnel = local_tunnel_start_held(&c->kept->context, take_stream, on_tunnel_done, c);
}

static void on_accept(void *arg, struct stream *stream)
{
	struct kept_tunnel *kept = arg;
	struct connection *c = mem_alloc(sizeof(*c));

	*c = (struct connection){
		.kept = kept,
		.stream = stream,
		.patient_until_ms = loop_now_ms(kept->client->loop) + KEPT_TUNNEL_PATIENCE_MS,
	};
	stream_set_owner(stream, ignore_event, NULL);
	list_append(&kept->connections, &c->node);
	try_tunnel(c);
}

static struct local_listener *listen_at(struct kept_tunnel *kept,
					const struct kept_tunnel_options *options, struct err *e)
{
	struct local_address address = options->address;
	struct loop *loop = options->client->loop;
	const struct events *events = &options->client->events;
	struct local_listener *listener = local_listener_open(loop, &address, events, on_accept,
							      kept, e);

	if (listener || !options->may_use_another_port || address.path)
		return listener;
	addr_set_port(&address.ip, 0);
	return local_listener_open(loop, &address, events, on_accept, kept, e);
}

struct kept_tunnel *kept_tunnel_open(const struct kept_tunnel_options *options, struct err *e)
{
	struct kept_tunnel *kept = mem_alloc(sizeof(*kept));

	*kept = (struct kept_tunnel){ .client = options->client };
	list_init(&kept->connections);
	kept->listener = listen_at(kept, options, e);
	if (!kept->listener) {
		mem_free(kept);
		return NULL;
	}
	kept->destination = *options->destination;
	*options->destination = (struct destination){ 0 };
	(void)client_tunnels(kept->client, &kept->destination, &kept->gateway, &kept->context);
	return kept;
}

void kept_tunnel_format(const struct kept_tunnel *k, char out[LOCAL_LISTENER_TEXT_MAX])
{
	local_listener_format(k->listener, out);
}

const struct destination *kept_tunnel_destination(const struct kept_tunnel *k)
{
	return &k->destination;
}

void kept_tunnel_close(struct kept_tunnel *k)
{
	if (!k)
		return;
	local_listener_close(TAKE(k->listener));
	LIST_FOREACH (&k->connections, node)
		close_connection(container_of(node, struct connection, node));
	destination_done(&k->destination);
	loop_free_later(k->client->loop, k);
}
