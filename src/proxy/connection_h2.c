#include "proxy/connection_h2.h"

#include "base/mem.h"
#include "http/h2_server.h"
#include "http/websocket.h"
#include "proxy/admission.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "tls/peer_certificate.h"

/* ---- one request ---- */

static void respond(struct connection *c, const struct http_response *response)
{
	h2_call_respond(TAKE(c->call), response);
	connection_leave(c); /* the exchange looks at it for the rest of this turn */
}

/* With the stream the tunnel takes the request's place among max_connections. */
static struct stream *take_tunnel(struct connection *c, const struct http_response *response,
				  struct buf *ret_head, struct buf *ret_early)
{
	*ret_head = BUF_INIT(0);
	*ret_early = BUF_INIT(0);
	return h2_call_take_tunnel(TAKE(c->call), response);
}

static void close_call(struct connection *c)
{
	h2_call_close(TAKE(c->call));
}

static const struct connection_ops call_ops = {
	.respond = respond,
	.take_tunnel = take_tunnel,
	.close = close_call,
};

static void refuse(struct h2_call *call, int status, const char *reason)
{
	const struct http_header headers[] = {
		{ STR("server"), STR("pomerium") },
		{ STR("x-pomerium-reason"), str_from(reason) },
		{ STR("sec-websocket-version"), STR(WEBSOCKET_VERSION) }, /* of a 426 only */
	};

	h2_call_respond(call, &(struct http_response){ .status = status,
						       .headers = headers,
						       .header_count = status == 426 ? 3 : 2 });
}

static void on_request(void *arg, struct h2_call *call, const struct http_request *request)
{
	struct connection *parent = arg;
	struct worker *worker = parent->worker;
	struct connection *c;

	if (!admission_enter(&worker->shared.control->admission.connections,
			     worker->snapshot->config->limits.max_connections)) {
		counters_refusal(&worker->counters, "overloaded");
		refuse(call, 503, "overloaded");
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->worker = worker;
	c->ops = &call_ops;
	c->call = call;
	c->peer = parent->peer;
	c->local = parent->local;
	c->certificate = parent->certificate ? peer_certificate_ref(parent->certificate) : NULL;
	list_append(&parent->requests, &c->in_worker);
	h2_call_set_owner(call, c);
	exchange_start(c, request);
}

static void on_bad_request(void *arg, struct h2_call *call, int status, const struct err *e)
{
	struct connection *c = arg;

	connection_log(c, "bad request", "bad-request", e);
	counters_refusal(&c->worker->counters, "bad-request");
	refuse(call, status, "bad-request");
}

static void on_gone(void *owner, const struct err *e)
{
	struct connection *c = owner;

	c->call = NULL;
	if (c->exchange)
		exchange_abort(c->exchange, "client-reset");
	connection_leave(c);
}

static void on_late(void *owner)
{
	struct connection *c = owner;

	exchange_expire(c->exchange);
}

/* ---- all of them ---- */

static void on_closed(void *arg, const struct err *e)
{
	struct connection *c = arg;

	c->h2 = NULL;
	if (e)
		connection_log(c, "connection failed", err_kind_name(e->kind), e);
	connection_leave(c);
}

void connection_h2_serve(struct connection *c)
{
	static const struct h2_server_events events = {
		.on_request = on_request,
		.on_bad_request = on_bad_request,
		.on_gone = on_gone,
		.on_late = on_late,
		.on_closed = on_closed,
	};
	const struct config_timeouts *timeouts = &c->worker->snapshot->config->timeouts;

	list_init(&c->requests);
	c->h2 = h2_server_open(c->worker->loop, TAKE(c->stream),
			       &(struct h2_server_options){
				       .head_timeout_ms = timeouts->read_ms,
				       .idle_timeout_ms = timeouts->idle_ms,
				       .began_ms = c->began_ms,
				       .events = &events,
				       .arg = c,
			       });
	if (c->worker->mode != WORKER_SERVES)
		h2_server_finish(c->h2);
}

void connection_h2_close_all(struct connection *c, const char *why)
{
	LIST_FOREACH (&c->requests, node)
		connection_close(container_of(node, struct connection, in_worker), why);
	h2_server_close(TAKE(c->h2), STREAM_CLOSE_NORMAL);
}
