/*
 * An ask goes to another thread and comes back to its worker's mailbox. In between it is nobody's but the traveller's:
 * the exchange only keeps a pointer to cancel by, which the worker clears on its own thread. When a mailbox closes before it
 * is delivered, it is released where it lies.
 */

#include "proxy/ask.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proxy/control.h"
#include "proxy/worker.h"

static void ask_discard(struct mailbox_message *message)
{
	struct ask *ask = container_of(message, struct ask, message);

	ask->release(ask);
}

static void cancel_ask(void *pending)
{
	struct ask *ask = pending;

	ask->x = NULL;
}

static void deliver_answer(struct mailbox_message *message)
{
	struct ask *ask = container_of(message, struct ask, message);
	struct exchange *x = ask->x;

	ask->worker->asks--;
	if (x) { /* somebody still waits */
		enum step step;

		x->pending = NULL;
		step = ask->on_answer(ask, x);
		if (step != STEP_WAIT)
			exchange_resume(x, step);
	}
	ask->release(ask);
}

enum step ask_begin(struct ask *ask, struct exchange *x)
{
	ask->worker = x->worker;
	ask->x = x;
	ask->message.discard = ask_discard;
	x->worker->asks++;
	x->pending = ask;
	x->cancel_pending = cancel_ask;
	return STEP_WAIT;
}

void ask_control(struct ask *ask, void (*run)(struct mailbox_message *message))
{
	ask->message.deliver = run;
	mailbox_post(ask->worker->shared.control->mailbox, &ask->message);
}

void ask_answer(struct ask *ask)
{
	ask->message.deliver = deliver_answer;
	mailbox_post(ask->worker->mailbox, &ask->message);
}

/* ---- the store ---- */

static void release_store_ask(struct ask *ask)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);

	store_call_done(&s->call);
	mem_free(s);
}

static void on_stored(struct store_call *call)
{
	ask_answer(&container_of(call, struct store_ask, call)->ask);
}

struct store_ask *store_ask_new(enum step (*on_answer)(struct ask *ask, struct exchange *x))
{
	struct store_ask *s = mem_alloc(sizeof(*s));

	s->ask.on_answer = on_answer;
	s->ask.release = release_store_ask;
	s->call.on_done = on_stored;
	return s;
}

enum step store_ask_start(struct store_ask *s, struct exchange *x)
{
	enum step step = ask_begin(&s->ask, x);

	store_start(x->worker->shared.control->store, &s->call);
	return step;
}

/* ---- the identity providers ---- */

static void release_idp_ask(struct ask *ask)
{
	struct idp_ask *i = container_of(ask, struct idp_ask, ask);

	idp_call_done(&i->call);
	mem_free(i);
}

static void on_provider_done(struct idp_call *call)
{
	ask_answer(&container_of(call, struct idp_ask, call)->ask);
}

static void start_idp_call(struct mailbox_message *message)
{
	struct ask *ask = container_of(message, struct ask, message);
	struct idp_ask *i = container_of(ask, struct idp_ask, ask);

	idp_service_start(ask->worker->shared.control->idps, &i->call);
}

struct idp_ask *idp_ask_new(struct exchange *x, const struct idp *idp, enum idp_verb verb,
			    enum step (*on_answer)(struct ask *ask, struct exchange *x))
{
	struct idp_ask *i = mem_alloc(sizeof(*i));

	i->ask.on_answer = on_answer;
	i->ask.release = release_idp_ask;
	i->call.verb = verb;
	i->call.snapshot = snapshot_ref(x->snapshot);
	i->call.idp = idp;
	i->call.now_unix = clock_now_unix();
	i->call.on_done = on_provider_done;
	return i;
}

enum step idp_ask_start(struct idp_ask *i, struct exchange *x)
{
	enum step step = ask_begin(&i->ask, x);

	ask_control(&i->ask, start_idp_call);
	return step;
}

void idp_ask_send(struct idp_ask *i, struct worker *worker)
{
	i->ask.worker = worker;
	i->ask.message.discard = ask_discard;
	worker->asks++;
	ask_control(&i->ask, start_idp_call);
}
