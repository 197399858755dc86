#include "proxy/tunnel.h"

#include <assert.h>

#include "http/chunked_stream.h"
#include "http/websocket.h"
#include "http/ws_stream.h"
#include "io/relay.h"
#include "proxy/ask.h"
#include "proxy/audit.h"
#include "proxy/authenticate.h"
#include "proxy/authorize.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/end_reasons.h"
#include "proxy/respond.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

static const char *end_reason(enum relay_end end)
{
	switch (end) {
	case RELAY_A_CLOSED:
		return "client-closed";
	case RELAY_B_CLOSED:
		return "upstream-closed";
	case RELAY_A_FAILED:
		return "client-reset";
	case RELAY_B_FAILED:
		return "upstream-reset";
	case RELAY_IDLE:
		return "idle-timeout";
	}
	return "internal";
}

/*
 * The client's framing makes no sense: of UDP that is found where capsules become packets, of a WebSocket where its frames
 * are read.
 */
static bool is_protocol_error(const struct exchange *x, const struct relay_result *result)
{
	enum relay_end where = x->facts.is_websocket ? RELAY_A_FAILED : RELAY_B_FAILED;

	return result->end == where && result->error->kind == ERR_PROTOCOL;
}

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct exchange *x = arg;

	x->relay = NULL;
	x->outcome.end_reason = end_reason(result->end);
	if (is_protocol_error(x, result))
		x->outcome.end_reason = "protocol-error";
	if (result->end == RELAY_IDLE)
		tunnel_remember_end(x, x->outcome.end_reason);
	x->outcome.bytes_received = result->bytes_from_a;
	x->outcome.bytes_sent += result->bytes_from_b;
	exchange_resume(x, STEP_DONE);
}

void tunnel_remember_end(const struct exchange *x, const char *reason)
{
	if (x->worker->shared.control->end_reasons)
		end_reasons_put(x->worker->shared.control->end_reasons, str_from(x->request_id),
				reason);
}

void tunnel_explain_end(const struct exchange *x, const char *reason)
{
	bool is_shutdown = str_equal(str_from(reason), STR("shutdown"));
	struct stream *client = relay_stream_a(x->relay);

	if (x->facts.is_websocket && client)
		ws_stream_explain(client, is_shutdown ? WS_CLOSE_SERVICE_RESTART : WS_CLOSE_POLICY,
				  reason);
}

#define ANSWER_HEADERS_MAX 8

struct answer {
	struct http_header headers[ANSWER_HEADERS_MAX];
	size_t count;
	int status;
	char accept[WEBSOCKET_ACCEPT_LEN + 1];
};

static void add(struct answer *a, struct str name, struct str value)
{
	assert(a->count < ANSWER_HEADERS_MAX);
	a->headers[a->count++] = (struct http_header){ name, value };
}

/* Over HTTP/2 a WebSocket is opened as every tunnel is (RFC 8441). */
static void add_switch(struct answer *a, const struct exchange *x)
{
	struct str key;

	if (!http_headers_get(&x->request->headers, STR("sec-websocket-key"), &key) ||
	    !x->connection->http)
		return;
	websocket_accept(key, a->accept);
	a->status = 101;
	add(a, STR("connection"), STR("Upgrade"));
	add(a, STR("upgrade"), STR("websocket"));
	add(a, STR("sec-websocket-accept"), str_from(a->accept));
}

static void fill_answer(struct answer *a, const struct exchange *x)
{
	a->status = 200;
	add(a, STR("server"), STR("pomerium"));
	add(a, STR("x-request-id"), str_from(x->request_id));
	/* Tells our client that an end it sends is passed on as such (protocol.md 1.8.5). */
	add(a, STR("x-pomerium-half-close"), STR("?1"));
	if (x->request->is_udp) {
		add(a, STR("capsule-protocol"), STR("?1"));
		add(a, STR("transfer-encoding"), STR("chunked"));
	}
	if (x->request->is_websocket)
		add_switch(a, x);
}

/* Where the tunnel's bytes are framed, they are from here on, and what was to be sent first goes below. */
static void frame_client(struct exchange *x, bool is_udp, struct relay_options *options)
{
	struct loop *loop = x->worker->loop;

	if (is_udp) /* capsules in the body of an answer (protocol.md 1.10.3) */
		options->a = chunked_stream_server(loop, options->a, &options->prefix_to_a);
	else if (x->facts.is_websocket)
		options->a = ws_stream_server(loop, options->a, &options->prefix_to_a,
					      &options->prefix_to_b);
	else
		return;
	options->prefix_to_a = BUF_INIT(0);
}

static enum step open_tunnel(struct exchange *x)
{
	const bool is_udp = x->request->is_udp;
	struct answer answer = { 0 };
	struct relay_options options = { .on_done = on_relayed, .arg = x };
	struct http_response response;

	fill_answer(&answer, x);
	response = (struct http_response){ .status = answer.status,
					   .headers = answer.headers,
					   .header_count = answer.count };
	options.a = connection_take_tunnel(x->connection, &response, &options.prefix_to_a,
					   &options.prefix_to_b);
	frame_client(x, is_udp, &options);
	upstream_hand_over(x, &options);
	x->request = NULL;
	x->outcome.status = 200;
	x->relay = relay_start(x->worker->loop, &options);
	audit_tunnel_opened(x);
	recheck_join(x);
	return STEP_WAIT;
}

/* ---- once more, before ---- */

static enum step refuse_session(struct exchange *x, const char *problem)
{
	x->credential_problem = problem;
	session_unref(TAKE(x->session));
	return respond_login(x);
}

static enum step refuse(struct exchange *x, enum recheck_verdict verdict)
{
	switch (verdict) {
	case RECHECK_SESSION_REVOKED:
		return refuse_session(x, PROBLEM_UNKNOWN);
	case RECHECK_SESSION_EXPIRED:
		return refuse_session(x, PROBLEM_EXPIRED);
	case RECHECK_ROUTE_REMOVED:
		return respond_refusal(x, REFUSAL_ROUTE_NOT_FOUND);
	case RECHECK_POLICY_DENIED:
	case RECHECK_ALLOWED:
		break;
	}
	audit_authorize(x);
	return authorize_refuse(x);
}

/*
 * A new configuration may have come while it was being connected. If the route has other targets now, that is no reason to
 * turn anybody away: without the connection the exchange can go over to it, and is connected anew.
 */
static enum step confirm(struct exchange *x)
{
	enum recheck_verdict verdict = recheck_decide(x);

	if (verdict == RECHECK_ALLOWED)
		return open_tunnel(x);
	if (verdict != RECHECK_ROUTE_REMOVED)
		return refuse(x, verdict);
	upstream_release(x);
	verdict = recheck_decide(x);
	return verdict == RECHECK_ALLOWED ? exchange_dial_again(x) : refuse(x, verdict);
}

static enum step on_looked_up(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);

	switch (s->call.result) {
	case STORE_DONE:
		return confirm(x);
	case STORE_ABSENT:
		return refuse_session(x, PROBLEM_UNKNOWN);
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	return respond_refusal(x, REFUSAL_STORE_AWAY); /* not open yet: never on doubt */
}

static bool is_in_doubt(const struct exchange *x)
{
	struct session *known;

	if (!x->session || x->session->kind == SESSION_WORKLOAD)
		return false;
	known = store_find(x->worker->shared.store, str_from(x->session->id));
	session_unref(known);
	return !known;
}

static enum step ask_store(struct exchange *x)
{
	struct store_ask *s = store_ask_new(on_looked_up);

	s->call.verb = STORE_GET;
	s->call.kind = x->session->kind == SESSION_SERVICE_ACCOUNT ? RECORD_SERVICE_ACCOUNT
								   : RECORD_SESSION;
	memcpy(s->call.key, x->session->id, sizeof(x->session->id));
	return store_ask_start(s, x);
}

enum step tunnel_serve(struct exchange *x)
{
	return is_in_doubt(x) ? ask_store(x) : confirm(x);
}
