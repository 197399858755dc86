#include "tests/support/http_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"
#include "base/mem.h"
#include "http/h1_server.h"
#include "io/listener.h"
#include "io/loop.h"

#define TIMEOUT_MS 60000

struct http_peer {
	struct loop *loop;
	struct listener *listener;
	void (*on_request)(struct http_peer_call *call);
	void *arg;
	struct list connections;
	unsigned accepted;
	unsigned connected;
};

struct connection {
	struct list_node node;
	struct http_peer_call call;
};

static void forget(struct connection *c)
{
	list_remove(&c->node);
	c->call.peer->connected--;
	loop_free_later(c->call.peer->loop, c);
}

static void on_request(void *arg, const struct http_request *request)
{
	struct connection *c = arg;

	c->call.request = request;
	c->call.peer->on_request(&c->call);
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	struct connection *c = arg;

	http_peer_respond(&c->call, &(struct http_response){
					    .status = status,
					    .body = str_from(e->text),
				    });
}

static void on_closed(void *arg, const struct err *e)
{
	forget(arg);
}

static const struct h1_server_events server_events = {
	.on_request = on_request,
	.on_bad_request = on_bad_request,
	.on_closed = on_closed,
};

void http_peer_serve(struct http_peer *peer, struct stream *stream)
{
	struct connection *c = mem_alloc(sizeof(*c));
	const struct h1_server_options options = {
		.head_timeout_ms = TIMEOUT_MS,
		.idle_timeout_ms = TIMEOUT_MS,
		.events = &server_events,
		.arg = c,
	};

	peer->accepted++;
	peer->connected++;
	list_append(&peer->connections, &c->node);
	c->call.peer = peer;
	c->call.arg = peer->arg;
	c->call.server = h1_server_open(peer->loop, stream, &options);
}

static void on_accept(void *arg, struct stream *stream, const struct addr *from)
{
	http_peer_serve(arg, stream);
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	fail_msg("%s", e->text);
}

static const struct listener_events listener_events = {
	.on_accept = on_accept,
	.on_problem = on_problem,
};

struct http_peer *http_peer_open(struct loop *loop, void (*on_call)(struct http_peer_call *call),
				 void *arg)
{
	struct http_peer *peer = mem_alloc(sizeof(*peer));
	struct addr address = { 0 };

	peer->loop = loop;
	peer->on_request = on_call;
	peer->arg = arg;
	list_init(&peer->connections);
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	peer->listener = listener_open(loop, &address, false, &listener_events, peer, NULL);
	assert_non_null(peer->listener);
	return peer;
}

uint16_t http_peer_port(const struct http_peer *peer)
{
	struct addr address;

	listener_address(peer->listener, &address);
	return addr_port(&address);
}

unsigned http_peer_accepted(const struct http_peer *peer)
{
	return peer->accepted;
}

unsigned http_peer_connected(const struct http_peer *peer)
{
	return peer->connected;
}

void http_peer_respond(struct http_peer_call *call, const struct http_response *response)
{
	h1_server_respond(call->server, response);
}

void http_peer_hang_up(struct http_peer_call *call)
{
	h1_server_close(call->server, STREAM_CLOSE_NORMAL);
	forget(container_of(call, struct connection, call));
}

void http_peer_close(struct http_peer *peer)
{
	if (!peer)
		return;
	listener_close(peer->listener);
	LIST_FOREACH (&peer->connections, node)
		http_peer_hang_up(&container_of(node, struct connection, node)->call);
	loop_free_later(peer->loop, peer);
}
