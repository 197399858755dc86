#include "proxy/exchange.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/relay.h"
#include "io/stream.h"
#include "proxy/audit.h"
#include "proxy/audit_fields.h"
#include "proxy/authenticate.h"
#include "proxy/authorize.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/endpoints.h"
#include "proxy/forwarded.h"
#include "proxy/respond.h"
#include "proxy/route.h"
#include "proxy/tunnel.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"
#include "tls/peer_certificate.h"

static enum step stage_serve(struct exchange *x)
{
	return x->endpoint ? x->endpoint->serve(x) : tunnel_serve(x);
}

/* The life of one request, top to bottom. Every exit goes through exchange_finish(). */
static const struct stage stages[] = {
	{ "route", stage_route },         { "authenticate", stage_authenticate },
	{ "authorize", stage_authorize }, { "dial", stage_dial },
	{ "serve", stage_serve },
};

static void count_outcome(struct exchange *x)
{
	struct counters *counters = &x->worker->counters;

	if (x->outcome.reason)
		counters_refusal(counters, x->outcome.reason);
	if (x->route && x->outcome.status == 200 && x->outcome.end_reason)
		counters_tunnel_end(counters, x->outcome.end_reason);
}

/* Writes the one record and lets go of everything. */
static void exchange_finish(struct exchange *x)
{
	assert(!x->pending);

	audit_request(x);
	count_outcome(x);
	if (x->connection)
		x->connection->exchange = NULL;
	else /* with the stream the tunnel took its place */
		admission_leave(&x->worker->shared.control->admission.connections);
	list_remove(&x->in_worker);
	recheck_leave(x);
	upstream_release(x);
	peer_certificate_unref(TAKE(x->certificate));
	session_unref(TAKE(x->session));
	session_unref(TAKE(x->login_session));
	snapshot_unref(TAKE(x->snapshot));
	arena_done(&x->arena);
	loop_free_later(x->worker->loop, x);
}

static void exchange_run(struct exchange *x)
{
	for (;;) {
		switch (x->stage->run(x)) {
		case STEP_NEXT:
			x->stage++;
			assert(x->stage < stages + ARRAY_LEN(stages));
			break;
		case STEP_WAIT:
			return;
		case STEP_DONE:
			exchange_finish(x);
			return;
		}
	}
}

void exchange_resume(struct exchange *x, enum step step)
{
	x->pending = NULL;
	switch (step) {
	case STEP_NEXT:
		x->stage++;
		exchange_run(x);
		return;
	case STEP_WAIT:
		return;
	case STEP_DONE:
		exchange_finish(x);
		return;
	}
}

enum step exchange_dial_again(struct exchange *x)
{
	assert(x->request);
	upstream_release(x);
	x->stage--;
	assert(x->stage->run == stage_dial);
	return stage_dial(x);
}

/* The request is gone once it is answered; the log wants these later. */
static void keep_facts(struct exchange *x)
{
	const struct http_request *request = x->request;
	struct str user_agent = { 0 };
	struct str referer = { 0 };

	(void)http_headers_get(&request->headers, STR("user-agent"), &user_agent);
	(void)http_headers_get(&request->headers, STR("referer"), &referer);
	/* A tunnel is a tunnel: policies need not know how this one is asked for. */
	bool is_tunnel = request->is_connect;

	x->facts = (struct request_facts){
		.method = arena_copy(&x->arena, is_tunnel ? STR("CONNECT") : request->method),
		.authority = arena_copy(&x->arena, request->authority),
		.path = arena_copy(&x->arena, is_tunnel ? STR("") : request->path),
		.user_agent = arena_copy(&x->arena, user_agent),
		.referer = arena_copy(&x->arena, str_first(referer, str_find(referer, '?'))),
		.has_query = request->query.len > 0,
		.is_websocket = request->is_websocket,
	};
	audit_keep_headers(x);
}

void exchange_start(struct connection *connection, const struct http_request *request)
{
	struct worker *worker = connection->worker;
	struct exchange *x = mem_alloc(sizeof(*x));

	x->worker = worker;
	x->connection = connection;
	x->snapshot = snapshot_ref(worker->snapshot);
	x->request = request;
	if (!forwarded_client(&request->headers, x->snapshot->config->listen.trusted_hops,
			      &x->peer))
		x->peer = connection->peer;
	x->certificate = connection->certificate ? peer_certificate_ref(connection->certificate)
						 : NULL;
	x->started_us = clock_now_us();
	x->stage = stages;
	x->outcome.details = "via_upstream";
	random_uuid(x->request_id);
	keep_facts(x);

	connection->exchange = x;
	list_append(&worker->exchanges, &x->in_worker);
	exchange_run(x);
}

void exchange_expire(struct exchange *x)
{
	bool is_dialing = x->stage->run == stage_dial;

	if (x->pending)
		x->cancel_pending(TAKE(x->pending));
	(void)respond_refusal(x, is_dialing ? REFUSAL_UPSTREAM_TIMEOUT : REFUSAL_INTERNAL);
	exchange_finish(x);
}

void exchange_abort(struct exchange *x, const char *end_reason)
{
	if (x->pending)
		x->cancel_pending(TAKE(x->pending));
	if (x->relay) {
		struct relay_result counts;

		tunnel_explain_end(x, end_reason);
		relay_close(TAKE(x->relay), STREAM_CLOSE_RESET, &counts);
		tunnel_remember_end(x, end_reason);
		x->outcome.bytes_received = counts.bytes_from_a;
		x->outcome.bytes_sent += counts.bytes_from_b;
	}
	if (str_starts_with(str_from(end_reason), STR("client")))
		x->outcome.details = "downstream_remote_disconnect";
	x->outcome.end_reason = end_reason;
	exchange_finish(x);
}
