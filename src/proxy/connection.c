/*
 * The stream handed to the HTTP server is TLS over TCP. From then on the server owns it; the connection only answers
 * its events. Three ways out: the server says the connection has ended, the worker closes it, or a tunnel takes the stream.
 */

#include "proxy/connection.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/h1_server.h"
#include "io/loop.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "tls/tls_stream.h"

static void connection_forget(struct connection *c)
{
	list_remove(&c->in_worker);
	loop_free_later(c->worker->loop, c);
}

static void on_request(void *arg, const struct http_request *request)
{
	exchange_start(arg, request);
}

static void log_peer(struct connection *c, const char *message, const char *reason,
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
	};

	log_peer(c, "bad request", "bad-request", e);
	h1_server_respond(c->http, &(struct http_response){
					   .status = status,
					   .headers = headers,
					   .header_count = ARRAY_LEN(headers),
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
		log_peer(c, "connection failed", err_kind_name(e->kind), e);
	connection_forget(c);
}

static const struct h1_server_events server_events = {
	.on_request = on_request,
	.on_bad_request = on_bad_request,
	.on_closed = on_closed,
};

void connection_open(struct worker *worker, struct stream *stream, const struct addr *peer)
{
	struct connection *c = mem_alloc(sizeof(*c));

	c->worker = worker;
	c->peer = *peer;
	list_append(&worker->connections, &c->in_worker);
	stream = tls_stream_accept(worker->loop, stream, worker->snapshot->tls);
	c->http = h1_server_open(worker->loop, stream,
				 &(struct h1_server_options){
					 .head_timeout_ms = CONNECTION_HEAD_TIMEOUT_MS,
					 .idle_timeout_ms = CONNECTION_IDLE_TIMEOUT_MS,
					 .events = &server_events,
					 .arg = c,
				 });
}

void connection_respond(struct connection *c, const struct http_response *response)
{
	h1_server_respond(c->http, response);
}

struct stream *connection_take_tunnel(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early)
{
	struct stream *client = h1_server_take_tunnel(TAKE(c->http), response, ret_head, ret_early);

	c->exchange->connection = NULL;
	c->exchange = NULL;
	connection_forget(c);
	return client;
}

void connection_close(struct connection *c, const char *why)
{
	if (c->exchange)
		exchange_abort(c->exchange, why);
	h1_server_close(TAKE(c->http), STREAM_CLOSE_NORMAL);
	connection_forget(c);
}
