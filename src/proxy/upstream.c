#include "proxy/upstream.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/dial.h"
#include "proxy/respond.h"
#include "proxy/worker.h"

static enum refusal refusal_for(enum err_kind kind)
{
	static const struct {
		enum err_kind kind;
		enum refusal refusal;
	} rows[] = {
		{ ERR_DNS, REFUSAL_UPSTREAM_DNS },
		{ ERR_REFUSED, REFUSAL_UPSTREAM_REFUSED },
		{ ERR_RESET, REFUSAL_UPSTREAM_REFUSED },
		{ ERR_UNREACHABLE, REFUSAL_UPSTREAM_UNREACHABLE },
		{ ERR_TIMEOUT, REFUSAL_UPSTREAM_TIMEOUT },
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

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct exchange *x = arg;

	x->pending = NULL;
	if (!stream) {
		log_failure(x, e);
		exchange_resume(x, respond_refusal(x, refusal_for(e->kind)));
		return;
	}
	x->upstream.stream = stream;
	x->upstream.address = *peer;
	upstream_hold_opened(x);
	exchange_resume(x, STEP_NEXT);
}

static void cancel_dial(void *dial)
{
	dial_cancel(dial);
}

enum step stage_dial(struct exchange *x)
{
	const struct config_target *target;

	if (x->endpoint)
		return STEP_NEXT;
	if (upstream_admit(x) != UPSTREAM_ADMITTED)
		return respond_refusal(x, REFUSAL_OVERLOADED);
	target = route_next_target(x->route);
	upstream_hold_target(x, (size_t)(target - x->route->config->targets));
	x->cancel_pending = cancel_dial;
	x->pending = dial_start(x->worker->loop, x->worker->resolver,
				&(struct dial_target){
					.host = target->host,
					.port = target->port,
					.timeout_ms = DIAL_TIMEOUT_MS,
					.family = DIAL_IP4_ELSE,
				},
				on_dialed, x);
	return STEP_WAIT;
}
