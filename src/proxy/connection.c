/*
 * [PROXY header ->] [TLS handshake ->] HTTP. Of each phase its own thing is there: the reader, the stream, the server. The
 * stream is the connection's until the server has it; from then on the connection only answers the server's events.
 *
 * Ways out: a phase fails, the server says the connection has ended, the worker closes it, or a tunnel takes the stream;
 * with the stream the tunnel takes the place among max_connections.
 *
 * timeout_read begins with the connection and covers all phases up to the first request, or to the tunnel it asks for.
 */

#include "proxy/connection.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/h1_server.h"
#include "http/h2_server.h"
#include "http/websocket.h"
#include "io/proxy_protocol.h"
#include "io/stream_tcp.h"
#include "proxy/admission.h"
#include "proxy/connection_h2.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "tls/peer_certificate.h"

static struct admission_count *count_of(struct worker *worker)
{
	return &worker->shared.control->admission.connections;
}

void connection_forget(struct connection *c)
{
	proxy_header_read_cancel(TAKE(c->header));
	handshake_cancel(c);
	list_remove(&c->in_worker);
	peer_certificate_unref(TAKE(c->certificate));
	loop_free_later(c->worker->loop, c);
}

void connection_leave(struct connection *c)
{
	admission_leave(count_of(c->worker));
	connection_forget(c);
}

static void on_request(void *arg, const struct http_request *request)
{
	exchange_start(arg, request);
}

void connection_log(struct connection *c, const char *message, const char *reason,
		    const struct err *e)
{
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&c->peer, ip);
	log_begin(c->worker->shared.log, &line, LOG_INFO, "proxy");
	log_cstr(&line, "ip", ip);
	log_cstr(&line, "reason", reason);
	log_cstr(&line, "error", e->text);
	log_end(&line, message);
}

/* protocol.md 1.9 and 6.3: an unparsable request gets no body and no request id. */
static void on_bad_request(void *arg, int status, const struct err *e)
{
	struct connection *c = arg;
	const struct http_header headers[] = {
		{ STR("server"), STR("pomerium") },
		{ STR("x-pomerium-reason"), STR("bad-request") },
		/* of a 426 only (RFC 6455 section 4.4, RFC 9110 section 15.5.22) */
		{ STR("sec-websocket-version"), STR(WEBSOCKET_VERSION) },
		{ STR("connection"), STR("Upgrade") },
		{ STR("upgrade"), STR("websocket") },
	};

	connection_log(c, "bad request", "bad-request", e);
	counters_refusal(&c->worker->counters, "bad-request");
	h1_server_respond(c->http, &(struct http_response){
					   .status = status,
					   .headers = headers,
					   .header_count = status == 426 ? 5 : 2,
					   .close = true,
				   });
}

static void on_closed(void *arg, const struct err *e)
{
	struct connection *c = arg;

	c->http = NULL;
	if (c->exchange)
		exchange_abort(c->exchange, e ? "client-reset" : "client-closed");
	else if (e)
		connection_log(c, "connection failed", err_kind_name(e->kind), e);
	connection_leave(c);
}

static void on_late(void *arg)
{
	struct connection *c = arg;

	exchange_expire(c->exchange);
}

static const struct h1_server_events server_events = {
	.on_request = on_request,
	.on_bad_request = on_bad_request,
	.on_closed = on_closed,
	.on_late = on_late,
};

static void respond_h1(struct connection *c, const struct http_response *response)
{
	h1_server_respond(c->http, response);
}

static struct stream *take_tunnel_h1(struct connection *c, const struct http_response *response,
				     struct buf *ret_head, struct buf *ret_early)
{
	return h1_server_take_tunnel(TAKE(c->http), response, ret_head, ret_early);
}

static void close_h1(struct connection *c)
{
	h1_server_close(TAKE(c->http), STREAM_CLOSE_NORMAL);
}

static const struct connection_ops h1_ops = {
	.respond = respond_h1,
	.take_tunnel = take_tunnel_h1,
	.close = close_h1,
};

void connection_serve(struct connection *c)
{
	const struct config_timeouts *timeouts = &c->worker->snapshot->config->timeouts;

	if (c->speaks_h2) {
		connection_h2_serve(c);
		return;
	}
	c->ops = &h1_ops;
	c->http = h1_server_open(c->worker->loop, TAKE(c->stream),
				 &(struct h1_server_options){
					 .head_timeout_ms = timeouts->read_ms,
					 .idle_timeout_ms = timeouts->idle_ms,
					 .began_ms = c->began_ms,
					 .events = &server_events,
					 .arg = c,
				 });
	if (c->worker->mode != WORKER_SERVES)
		h1_server_finish(c->http);
}

/* ---- before HTTP ---- */

/* Nobody who is silent or speaks something else is owed more than the end of the connection. */
void connection_fail(struct connection *c, const struct err *e, enum stream_close how)
{
	if (e->kind != ERR_CLOSED) /* without a byte: somebody looked whether we are there */
		connection_log(c, "connection failed", err_kind_name(e->kind), e);
	stream_close(TAKE(c->stream), how);
	connection_leave(c);
}

static void turn_away(struct worker *worker, struct stream *stream)
{
	uint64_t refused = admission_take_refused(count_of(worker), loop_now_ms(worker->loop));
	struct log_line line;

	stream_close(stream, STREAM_CLOSE_RESET);
	counters_refusal(&worker->counters, "overloaded");
	if (refused == 0)
		return;
	log_begin(worker->shared.log, &line, LOG_WARN, "proxy");
	log_cstr(&line, "setting", "max_connections");
	log_uint(&line, "connections-closed", refused);
	log_end(&line, "too many at once: connections are closed unserved");
}

static void begin(struct connection *c)
{
	if (c->worker->snapshot->config->listen.is_plain)
		connection_serve(c);
	else
		handshake_begin(c);
}

static void on_header(void *arg, const struct proxy_header *header, const struct err *e)
{
	struct connection *c = arg;

	c->header = NULL;
	if (!header) {
		connection_fail(c, e, STREAM_CLOSE_RESET);
		return;
	}
	if (header->has_addresses) {
		c->peer = header->source;
		c->local = header->destination;
	}
	begin(c);
}

void connection_open(struct worker *worker, struct stream *stream, const struct addr *peer)
{
	const struct config *config = worker->snapshot->config;
	uint64_t now_ms = loop_now_ms(worker->loop);
	uint64_t read_ms = config->timeouts.read_ms;
	struct connection *c;

	if (!admission_enter(count_of(worker), config->limits.max_connections)) {
		turn_away(worker, stream);
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->worker = worker;
	c->stream = stream;
	c->peer = *peer;
	stream_tcp_local_address(stream, &c->local);
	c->began_ms = now_ms;
	list_append(&worker->connections, &c->in_worker);
	if (config->listen.use_proxy_protocol)
		c->header = proxy_header_read_start(worker->loop, stream,
						    read_ms ? now_ms + read_ms : 0, on_header, c);
	else
		begin(c);
}

/* ---- the exchange's side ---- */

void connection_respond(struct connection *c, const struct http_response *response)
{
	c->ops->respond(c, response);
}

struct stream *connection_take_tunnel(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early)
{
	struct stream *client = c->ops->take_tunnel(c, response, ret_head, ret_early);

	c->exchange->connection = NULL;
	c->exchange = NULL;
	connection_forget(c);
	return client;
}

bool connection_is_idle(const struct connection *c)
{
	return !c->exchange && !c->h2; /* with HTTP/2 the last stream ends it: h2_server_finish() */
}

void connection_finish(struct connection *c)
{
	if (c->http)
		h1_server_finish(c->http);
	if (c->h2)
		h2_server_finish(c->h2);
}

void connection_close(struct connection *c, const char *why)
{
	if (c->exchange)
		exchange_abort(c->exchange, why);
	if (c->h2)
		connection_h2_close_all(c, why);
	if (c->ops)
		c->ops->close(c);
	proxy_header_read_cancel(TAKE(c->header));
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	connection_leave(c);
}
