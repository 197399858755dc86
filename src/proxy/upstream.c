/*
 * One attempt after the other, each against another target. A new configuration may move the exchange to another route in the
 * meantime (upstream_keep()): the attempt in progress is to a target of that one as well, and should it fail, all
 * others of the new route are to be tried.
 */

#include "proxy/upstream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/relay.h"
#include "proxy/audit.h"
#include "proxy/balancer.h"
#include "proxy/connection.h"
#include "proxy/respond.h"
#include "proxy/upstream_connect.h"
#include "proxy/worker.h"

struct dialing {
	struct exchange *x;
	struct upstream_connect *connect;
	const struct route *route; /* the one whose targets were tried */
	bool *tried;               /* by index */
	size_t untried;
	uint64_t began_us; /* the attempt */
	uint64_t due_ms;
	enum refusal refusal; /* for the last failure */
};

static enum refusal refusal_for(enum err_kind kind)
{
	static const struct {
		enum err_kind kind;
		enum refusal refusal;
	} rows[] = {
		{ ERR_DNS, REFUSAL_UPSTREAM_DNS },
		{ ERR_REFUSED, REFUSAL_UPSTREAM_REFUSED },
		{ ERR_RESET, REFUSAL_UPSTREAM_REFUSED },
		{ ERR_CLOSED, REFUSAL_UPSTREAM_REFUSED },
		{ ERR_PROTOCOL, REFUSAL_UPSTREAM_REFUSED },
		{ ERR_UNREACHABLE, REFUSAL_UPSTREAM_UNREACHABLE },
		{ ERR_TIMEOUT, REFUSAL_UPSTREAM_TIMEOUT },
		{ ERR_TLS, REFUSAL_UPSTREAM_TLS },
		{ ERR_LIMIT, REFUSAL_OVERLOADED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == kind)
			return rows[i].refusal;
	return REFUSAL_INTERNAL;
}

/* The client learns a word; the operator the whole sentence. */
static void log_failure(const struct exchange *x, const struct err *e)
{
	struct log_line line;

	log_begin(x->worker->shared.log, &line, LOG_WARN, "proxy");
	log_cstr(&line, "request-id", x->request_id);
	log_cstr(&line, "route-id", x->route->id);
	log_str(&line, "authority", x->facts.authority);
	log_cstr(&line, "error", e->text);
	log_end(&line, "upstream not reachable");
}

/* ---- one attempt ---- */

enum dial_family upstream_family(enum config_dns_family family)
{
	switch (family) {
	case CONFIG_DNS_V4_PREFERRED:
		return DIAL_IP4_ELSE;
	case CONFIG_DNS_AUTO:
		return DIAL_IP6_ELSE;
	case CONFIG_DNS_V4_ONLY:
		return DIAL_IP4_ONLY;
	case CONFIG_DNS_V6_ONLY:
		return DIAL_IP6_ONLY;
	case CONFIG_DNS_ALL:
		return DIAL_BOTH;
	}
	return DIAL_BOTH;
}

static void on_connected(void *arg, struct upstream_connected *connected, const struct err *e);

static void connect_to(struct dialing *d, const struct config_target *target, uint64_t timeout_ms)
{
	struct exchange *x = d->x;
	const struct config_upstream *upstream = &x->route->config->upstream;
	char client[ADDR_TEXT_MAX];

	addr_format_ip(&x->peer, client);
	d->began_us = clock_now_us();
	d->connect = upstream_connect_start(
		&(struct upstream_connect_options){
			.loop = x->worker->loop,
			.resolver = x->worker->resolver,
			.target = target,
			.family = upstream_family(x->snapshot->config->dns_family),
			.timeout_ms = timeout_ms,
			.proxy_header = upstream->proxy_header,
			.source = x->peer,
			.destination = x->connection->local,
			.tls = x->route->upstream_tls,
			.server_name = upstream->tls.server_name,
			.authority = x->facts.authority,
			/* What the client showed to us is for nobody else. */
			.headers = { { STR("x-forwarded-for"), str_from(client) },
				     { STR("x-request-id"), str_from(x->request_id) },
				     { STR("user-agent"), x->facts.user_agent } },
			.header_count = str_is_empty(x->facts.user_agent) ? 2 : 3,
		},
		on_connected, d);
}

/* ---- one after the other ---- */

static void choose_route(struct dialing *d)
{
	struct exchange *x = d->x;
	size_t count = x->route->config->target_count;

	if (d->route == x->route)
		return;
	d->route = x->route;
	d->tried = arena_alloc_array(&x->arena, count, sizeof(*d->tried));
	d->untried = count;
	if (x->upstream.has_target)
		d->tried[x->upstream.target] = true;
}

/*
 * Whoever has a session stays with a target by that, wherever he comes from; a workload, whose tokens have no session that lasts,
 * by what it is called.
 */
static uint64_t key_of(const struct exchange *x)
{
	char ip[ADDR_TEXT_MAX];

	if (x->session && x->session->kind == SESSION_WORKLOAD)
		return balancer_key(x->session->who->user_id);
	if (x->session)
		return balancer_key(str_from(x->session->id));
	addr_format_ip(&x->peer, ip);
	return balancer_key(str_from(ip));
}

/* So that one that says nothing leaves time for the others. */
static uint64_t share_of(uint64_t left_ms, size_t untried)
{
	uint64_t share = left_ms / (untried > 0 ? untried : 1);

	if (share < UPSTREAM_ATTEMPT_MS)
		share = UPSTREAM_ATTEMPT_MS;
	return share < left_ms ? share : left_ms;
}

static enum step try_next(struct dialing *d)
{
	struct exchange *x = d->x;
	struct balancer_facts facts = { .key = key_of(x) };
	uint64_t now = loop_now_ms(x->worker->loop);
	size_t index = 0;

	choose_route(d);
	facts.tried = d->tried;
	random_bytes(facts.random, sizeof(facts.random));
	if (now >= d->due_ms ||
	    !balancer_choose(x->route->balancer, x->route->state, &facts, &index))
		return respond_refusal(x, d->refusal);
	upstream_hold_target(x, index);
	d->tried[index] = true;
	connect_to(d, &x->route->config->targets[index], share_of(d->due_ms - now, d->untried));
	d->untried -= d->untried > 0;
	x->pending = d;
	return STEP_WAIT;
}

static void on_connected(void *arg, struct upstream_connected *connected, const struct err *e)
{
	struct dialing *d = arg;
	struct exchange *x = d->x;
	enum step step;

	d->connect = NULL;
	x->pending = NULL;
	if (connected) {
		x->upstream.stream = connected->stream;
		x->upstream.address = connected->address;
		buf_move(&x->upstream.early, &connected->early);
		upstream_hold_opened(x);
		counters_connect(&x->worker->counters, clock_now_us() - d->began_us);
		exchange_resume(x, STEP_NEXT);
		return;
	}
	log_failure(x, e);
	d->refusal = refusal_for(e->kind);
	step = try_next(d);
	if (step != STEP_WAIT)
		exchange_resume(x, step);
}

static void cancel_dialing(void *arg)
{
	struct dialing *d = arg;

	upstream_connect_cancel(TAKE(d->connect));
}

static enum step refuse(struct exchange *x, enum upstream_admission admission)
{
	switch (admission) {
	case UPSTREAM_ADMITTED:
		break;
	case UPSTREAM_TOO_MANY_TUNNELS:
		return respond_refusal(x, REFUSAL_OVERLOADED);
	case UPSTREAM_TOO_MANY_CONNECTIONS:
		return respond_refusal(x, REFUSAL_UPSTREAM_LIMIT);
	}
	return respond_refusal(x, REFUSAL_INTERNAL);
}

enum step stage_dial(struct exchange *x)
{
	enum upstream_admission admission;
	struct dialing *d;

	if (x->endpoint)
		return STEP_NEXT;
	if (audit_is_blocked(x)) /* said in the log by who writes the file */
		return respond_refusal(x, REFUSAL_OVERLOADED);
	admission = upstream_admit(x);
	if (admission != UPSTREAM_ADMITTED)
		return refuse(x, admission);
	d = arena_alloc(&x->arena, sizeof(*d));
	d->x = x;
	d->due_ms = loop_now_ms(x->worker->loop) + UPSTREAM_TIMEOUT_MS;
	d->refusal = REFUSAL_UPSTREAM_UNREACHABLE; /* for none that is up */
	x->cancel_pending = cancel_dialing;
	return try_next(d);
}

void upstream_hand_over(struct exchange *x, struct relay_options *options)
{
	struct buf *early = &x->upstream.early;

	options->b = TAKE(x->upstream.stream);
	options->idle_timeout_ms = x->route->config->lifetime.idle_ms;
	/* Smaller than what an answer may be. */
	(void)buf_append_str(&options->prefix_to_a, buf_view(early));
	x->outcome.bytes_sent = early->len;
	buf_done(early);
}
