/*
 *	a shared connection has room ------------------------> h2_connect
 *	none has: WAITING for the one dial of the transport --> h2_connect, or HTTP/1.1 if the gateway chose that
 *	HTTP/1.1 is known, asked for, or all there is, or it is about UDP: gateway_dial -> connect_client
 *
 * A call changes to another way at most once: h2_connect that failed with its connection waits again, one that was not
 * understood goes over HTTP/1.1.
 */

#include "cli/transport.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "http/h2_client.h"
#include "io/loop.h"
#include "tls/tls_stream.h"

struct transport {
	struct gateway gateway; /* with TLS that offers HTTP/2 */
	enum transport_mode mode;
	bool knows_h1; /* the gateway chose it */
	struct list connections;
	struct list waiting;
	struct gateway_dial *dial;
	struct stream *stream; /* in its handshake */
	struct timer handshake_due;
};

struct shared_connection {
	struct list_node node;
	struct h2_client *client;
	struct loop *loop;
	bool has_refused; /* something that was asked over it: nothing more is */
};

struct transport_call {
	struct list_node in_waiting;
	const struct gateway *gateway;
	struct connect_request request;
	struct gateway_dial *dial;
	struct connect_client *h1;
	struct h2_connect *h2;
	struct shared_connection *connection; /* that h2 was asked over */
	unsigned refusals; /* by connections that were taken out of service at that moment */
	bool has_changed;  /* a second way was tried */
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e);
	void *arg;
};

int transport_mode_parse(const char *text, enum transport_mode *ret, struct err *e)
{
	static const struct {
		const char *text;
		enum transport_mode mode;
	} rows[] = {
		{ "auto", TRANSPORT_AUTO },
		{ "h1", TRANSPORT_H1 },
		{ "h2", TRANSPORT_H2 },
		{ "ws", TRANSPORT_WS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(text ? text : "auto", rows[i].text) != 0)
			continue;
		*ret = rows[i].mode;
		return 0;
	}
	return err_set(e, ERR_CONFIG, "--transport is one of auto, h1, h2 and ws");
}

static void finish(struct transport_call *call, struct connect_result *result, const struct err *e)
{
	struct loop *loop = call->gateway->loop;

	call->on_done(call->arg, result, e);
	loop_free_later(loop, call);
}

/* ---- HTTP/1.1 ---- */

static void on_h1_done(void *arg, struct connect_result *result, const struct err *e)
{
	struct transport_call *call = arg;

	call->h1 = NULL;
	finish(call, result, e);
}

static void ask_h1(struct transport_call *call, struct stream *stream)
{
	call->h1 = connect_client_start(call->gateway->loop, stream, &call->request, on_h1_done,
					call);
}

static void on_h1_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct transport_call *call = arg;

	call->dial = NULL;
	if (stream)
		ask_h1(call, stream);
	else
		finish(call, NULL, e);
}

static void begin_h1(struct transport_call *call)
{
	call->dial = gateway_dial_start(call->gateway, on_h1_dialed, call);
}

/* ---- HTTP/2 ---- */

static void begin(struct transport_call *call);

/* What our gateway refuses, it refuses over HTTP/1.1 as well. */
static bool is_not_understood(const struct connect_result *result)
{
	static const int statuses[] = { 400, 404, 405, 421, 426, 501, 505 };
	struct str reason;

	if (http_headers_get(&result->headers, STR("x-pomerium-reason"), &reason))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i] == result->status)
			return true;
	return false;
}

static void on_h2_done(void *arg, struct connect_result *result, const struct err *e)
{
	struct transport_call *call = arg;
	const struct transport *t = call->gateway->transport;
	/* If it has just gone its memory is still there, as an answer for everyone who asked over it. */
	bool connection_is_good = call->connection->client &&
				  h2_client_takes_more(call->connection->client);

	call->h2 = NULL;
	if (e && e->kind == ERR_CLOSED && call->refusals < TRANSPORT_REFUSALS_MAX) {
		call->refusals++;
		call->connection->has_refused = true;
		begin(call);
		return;
	}
	if (call->has_changed || (e && e->kind == ERR_TIMEOUT) ||
	    (result && (t->mode == TRANSPORT_H2 || !is_not_understood(result)))) {
		finish(call, result, e);
		return;
	}
	call->has_changed = true;
	if (result || (connection_is_good && t->mode == TRANSPORT_AUTO))
		begin_h1(call);
	else
		begin(call);
}

static void ask_h2(struct transport_call *call, struct shared_connection *c)
{
	call->connection = c;
	call->h2 = h2_client_connect(c->client, &call->request, on_h2_done, call);
}

static struct shared_connection *find_room(const struct transport *t)
{
	LIST_FOREACH (&t->connections, node) {
		struct shared_connection *c = container_of(node, struct shared_connection, node);

		if (!c->has_refused && h2_client_takes_more(c->client))
			return c;
	}
	return NULL;
}

/* ---- the one dial ---- */

static void dial(struct transport *t);

/* Their owners may cancel others, and call again. */
static struct transport_call *take_waiting(struct transport *t)
{
	struct list_node *node = list_first(&t->waiting);

	if (!node)
		return NULL;
	list_remove(node);
	return container_of(node, struct transport_call, in_waiting);
}

static void fail_waiting(struct transport *t, const struct err *e)
{
	struct err copy = *e;
	struct list_node *last = t->waiting.head.prev;
	struct transport_call *call;

	while ((call = take_waiting(t))) {
		bool was_last = &call->in_waiting == last;

		finish(call, NULL, &copy);
		if (was_last)
			return;
	}
}

static void on_connection_closed(void *arg, const struct err *e)
{
	struct shared_connection *c = arg;

	c->client = NULL;
	list_remove(&c->node);
	loop_free_later(c->loop, c);
}

static void serve_waiting(struct transport *t)
{
	struct transport_call *call;
	struct shared_connection *c;

	while ((c = find_room(t)) && (call = take_waiting(t)))
		ask_h2(call, c);
	if (!list_is_empty(&t->waiting))
		dial(t);
}

static void share(struct transport *t, struct stream *stream)
{
	struct shared_connection *c = mem_alloc(sizeof(*c));

	c->loop = t->gateway.loop;
	c->client = h2_client_open(c->loop, stream, on_connection_closed, c);
	list_append(&t->connections, &c->node);
	serve_waiting(t);
}

static void ignore_event(void *arg, unsigned events)
{
}

/* The first who waits takes this connection, the others their own. */
static void use_h1(struct transport *t, struct stream *stream)
{
	struct transport_call *call;
	struct err e;

	if (t->mode == TRANSPORT_H2) {
		stream_close(stream, STREAM_CLOSE_NORMAL);
		(void)err_set(&e, ERR_PROTOCOL, "it does not speak HTTP/2");
		fail_waiting(t, &e);
		return;
	}
	t->knows_h1 = true;
	call = take_waiting(t);
	if (call)
		ask_h1(call, stream);
	else
		stream_close(stream, STREAM_CLOSE_NORMAL);
	while ((call = take_waiting(t)))
		begin_h1(call);
}

static void drive_handshake(struct transport *t)
{
	struct tls_facts facts;
	struct stream *stream = t->stream;

	switch (tls_stream_handshake(stream)) {
	case STREAM_AGAIN:
		return;
	case STREAM_FAILED:
		t->stream = NULL;
		timer_cancel(&t->handshake_due);
		fail_waiting(t, stream_error(stream));
		stream_close(stream, STREAM_CLOSE_NORMAL);
		return;
	default:
		break;
	}
	t->stream = NULL;
	timer_cancel(&t->handshake_due);
	stream_set_owner(stream, ignore_event, NULL);
	if (tls_stream_facts(stream, &facts) && strcmp(facts.alpn, "h2") == 0)
		share(t, stream);
	else
		use_h1(t, stream);
}

static void on_handshake_event(void *arg, unsigned events)
{
	drive_handshake(arg);
}

static void on_handshake_due(struct timer *timer)
{
	struct transport *t = container_of(timer, struct transport, handshake_due);
	struct err e;

	stream_close(TAKE(t->stream), STREAM_CLOSE_NORMAL);
	(void)err_set(&e, ERR_TIMEOUT, "no end of the TLS handshake in time");
	fail_waiting(t, &e);
}

static void on_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct transport *t = arg;

	t->dial = NULL;
	if (!stream) {
		fail_waiting(t, e);
		return;
	}
	t->stream = stream;
	stream_set_owner(stream, on_handshake_event, t);
	timer_start(&t->handshake_due, t->gateway.loop,
		    loop_now_ms(t->gateway.loop) + TRANSPORT_HANDSHAKE_MS, on_handshake_due);
	drive_handshake(t);
}

static void dial(struct transport *t)
{
	if (!t->dial && !t->stream)
		t->dial = gateway_dial_start(&t->gateway, on_dialed, t);
}

/* ---- calls ---- */

static void begin(struct transport_call *call)
{
	struct transport *t = call->gateway->transport;
	struct shared_connection *c;

	if (call->request.is_udp || call->request.is_websocket || !t || t->mode == TRANSPORT_H1 ||
	    t->knows_h1 || !call->gateway->destination->uses_tls) {
		begin_h1(call);
		return;
	}
	c = find_room(t);
	if (c) {
		ask_h2(call, c);
		return;
	}
	list_append(&t->waiting, &call->in_waiting);
	dial(t);
}

struct transport_call *transport_connect(
	const struct gateway *gateway, const struct connect_request *request,
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e), void *arg)
{
	struct transport_call *call = mem_alloc(sizeof(*call));

	*call = (struct transport_call){
		.gateway = gateway, .request = *request, .on_done = on_done, .arg = arg
	};
	/* Packets need no WebSocket: they ask for an upgrade as well. */
	call->request.is_websocket = gateway->transport &&
				     gateway->transport->mode == TRANSPORT_WS &&
				     !call->request.is_udp;
	call->request.host = str_from(gateway->destination->gateway_authority);
	begin(call);
	return call;
}

void transport_cancel(struct transport_call *call)
{
	if (!call)
		return;
	list_remove(&call->in_waiting);
	gateway_dial_cancel(call->dial);
	connect_client_cancel(call->h1);
	h2_connect_cancel(call->h2);
	loop_free_later(call->gateway->loop, call);
}

/* ---- the beginning and the end ---- */

struct transport *transport_new(const struct gateway *gateway, struct tls_config *tls,
				enum transport_mode mode)
{
	struct transport *t = mem_alloc(sizeof(*t));

	t->gateway = *gateway;
	t->gateway.tls = tls;
	t->mode = mode;
	list_init(&t->connections);
	list_init(&t->waiting);
	return t;
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	gateway_dial_cancel(t->dial);
	timer_cancel(&t->handshake_due);
	stream_close(t->stream, STREAM_CLOSE_NORMAL);
	LIST_FOREACH (&t->connections, node) {
		struct shared_connection *c = container_of(node, struct shared_connection, node);

		h2_client_close(TAKE(c->client));
		list_remove(node);
		loop_free_later(c->loop, c);
	}
	loop_free_later(t->gateway.loop, t);
}
