#include "proxy/tunnel.h"

#include "http/chunked_stream.h"
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

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct exchange *x = arg;

	x->relay = NULL;
	x->outcome.end_reason = end_reason(result->end);
	/* Only of UDP: the client's capsules make no sense, which is found where they become packets. */
	if (result->end == RELAY_B_FAILED && result->error->kind == ERR_PROTOCOL)
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

/* Capsules in the body of an answer (protocol.md 1.10.3): the head goes first, what follows is framed. */
static void frame_body(struct exchange *x, struct relay_options *options)
{
	options->a = chunked_stream_server(x->worker->loop, options->a, &options->prefix_to_a);
	options->prefix_to_a = BUF_INIT(0);
}

static enum step open_tunnel(struct exchange *x)
{
	/* The last one tells our client that an end it sends is passed on as such (protocol.md 1.8.5). */
	const struct http_header headers[] = {
		{ STR("server"), STR("pomerium") },
		{ STR("x-request-id"), str_from(x->request_id) },
		{ STR("x-pomerium-half-close"), STR("?1") },
		{ STR("capsule-protocol"), STR("?1") }, /* UDP, from here on */
		{ STR("transfer-encoding"), STR("chunked") },
	};
	const bool is_udp = x->request->is_udp;
	const struct http_response response = {
		.status = 200,
		.headers = headers,
		.header_count = is_udp ? ARRAY_LEN(headers) : 3,
	};
	struct relay_options options = { .on_done = on_relayed, .arg = x };

	options.a = connection_take_tunnel(x->connection, &response, &options.prefix_to_a,
					   &options.prefix_to_b);
	if (is_udp)
		frame_body(x, &options);
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
