/*
 * News may overtake an answer of the store that is on its way: then it is asked once more, and only the last question counts.
 */

#include "proxy/recheck_session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "proxy/exchange.h"
#include "proxy/recheck.h"
#include "proxy/worker.h"
#include "session/store.h"

/* So long an answer of the store counts, if no news come about the session. */
#define ANSWER_KEEP_MS 10000

struct recheck_session {
	char id[UUID_TEXT_LEN + 1];
	enum record_kind kind;
	struct list tunnels;
	struct list_node in_unasked;
	struct question *question; /* whose answer is awaited; NULL: none */
	bool is_outdated;          /* there were news meanwhile: that answer does not count */
	enum store_result answer;
	struct session *session;    /* of the answer; referenced */
	uint64_t answer_expires_ms; /* 0: there is none */
};

/* To the store, and the way back. */
struct question {
	struct store_call call;
	struct mailbox_message message;
	struct recheck_sessions *all;
};

void recheck_sessions_init(struct recheck_sessions *all, struct worker *worker)
{
	all->worker = worker;
	map_init(&all->by_id);
	list_init(&all->unasked);
}

void recheck_sessions_done(struct recheck_sessions *all)
{
	assert(all->by_id.count == 0);
	map_done(&all->by_id);
}

static void queue_tunnels(struct recheck_session *s)
{
	LIST_FOREACH (&s->tunnels, node) {
		struct recheck_place *place = container_of(node, struct recheck_place, in_session);

		recheck_soon(container_of(place, struct exchange, recheck));
	}
}

static void forget_answer(struct recheck_session *s)
{
	session_unref(TAKE(s->session));
	s->answer_expires_ms = 0;
}

/* ---- asking ---- */

static void ask_store(struct recheck_sessions *all, struct recheck_session *s);

static void take_answer(struct recheck_sessions *all, struct recheck_session *s,
			struct store_call *call)
{
	s->question = NULL;
	if (s->is_outdated) {
		ask_store(all, s);
		return;
	}
	forget_answer(s);
	s->answer = call->result;
	s->session = TAKE(call->item.session);
	s->answer_expires_ms = loop_now_ms(all->worker->loop) + ANSWER_KEEP_MS;
	queue_tunnels(s);
}

static void ask_next(struct recheck_sessions *all)
{
	struct list_node *node = list_first(&all->unasked);

	if (!node)
		return;
	list_remove(node);
	ask_store(all, container_of(node, struct recheck_session, in_unasked));
}

static void discard_question(struct mailbox_message *message)
{
	struct question *q = container_of(message, struct question, message);

	store_call_done(&q->call);
	mem_free(q);
}

static void deliver_answer(struct mailbox_message *message)
{
	struct question *q = container_of(message, struct question, message);
	struct recheck_sessions *all = q->all;
	struct recheck_session *s = map_get(&all->by_id, str_from(q->call.key));

	all->asks--;
	all->worker->asks--;
	if (s && s->question == q)
		take_answer(all, s, &q->call);
	ask_next(all);
	discard_question(message);
}

static void on_stored(struct store_call *call)
{
	struct question *q = container_of(call, struct question, call);

	mailbox_post(q->all->worker->mailbox, &q->message);
}

static void ask_store(struct recheck_sessions *all, struct recheck_session *s)
{
	struct question *q;

	if (all->asks >= RECHECK_ASKS_MAX) {
		list_append(&all->unasked, &s->in_unasked);
		return;
	}
	all->asks++;
	all->worker->asks++;
	q = mem_alloc(sizeof(*q));
	q->all = all;
	q->message.deliver = deliver_answer;
	q->message.discard = discard_question;
	q->call.verb = STORE_GET;
	q->call.kind = s->kind;
	q->call.on_done = on_stored;
	(void)snprintf(q->call.key, sizeof(q->call.key), "%s", s->id); /* fits */
	s->question = q;
	s->is_outdated = false;
	store_start(all->worker->shared.store, &q->call);
}

/* ---- knowing ---- */

static void replace_session(struct exchange *x, struct session *session)
{
	session_unref(TAKE(x->session));
	x->session = session;
}

static enum recheck_knowledge use_answer(struct exchange *x, const struct recheck_session *s)
{
	switch (s->answer) {
	case STORE_DONE:
		replace_session(x, session_ref(s->session));
		return RECHECK_KNOWN;
	case STORE_ABSENT:
		return RECHECK_GONE;
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	return RECHECK_UNKNOWN;
}

enum recheck_knowledge recheck_session_look_up(struct recheck_sessions *all, struct exchange *x)
{
	struct recheck_session *s = x->recheck.session;
	struct session *found;

	if (x->session->kind == SESSION_WORKLOAD)
		return RECHECK_KNOWN;
	found = store_find(all->worker->shared.store, str_from(x->session->id));
	if (found) {
		replace_session(x, found);
		return RECHECK_KNOWN;
	}
	if (!s)
		return RECHECK_UNKNOWN;
	if (loop_now_ms(all->worker->loop) < s->answer_expires_ms)
		return use_answer(x, s);
	if (!s->question && !list_node_is_linked(&s->in_unasked))
		ask_store(all, s);
	return RECHECK_ASKED;
}

static void hear(struct recheck_session *s)
{
	forget_answer(s);
	s->is_outdated = true;
	queue_tunnels(s);
}

void recheck_session_hear(struct recheck_sessions *all, struct str id)
{
	struct recheck_session *s = map_get(&all->by_id, id);

	if (s)
		hear(s);
}

static bool hear_each(void *arg, struct str id, void *session)
{
	hear(session);
	return false;
}

void recheck_sessions_hear(struct recheck_sessions *all)
{
	map_visit(&all->by_id, hear_each, NULL);
}

/* ---- coming and going ---- */

static struct recheck_session *session_add(struct recheck_sessions *all,
					   const struct session *session)
{
	struct recheck_session *s = mem_alloc(sizeof(*s));

	memcpy(s->id, session->id, sizeof(s->id));
	s->kind = session->kind == SESSION_SERVICE_ACCOUNT ? RECORD_SERVICE_ACCOUNT
							   : RECORD_SESSION;
	list_init(&s->tunnels);
	(void)map_put(&all->by_id, str_from(s->id), s); /* was not there */
	return s;
}

void recheck_session_enter(struct recheck_sessions *all, struct exchange *x)
{
	struct recheck_session *s;

	if (!x->session || x->session->kind == SESSION_WORKLOAD)
		return;
	s = map_get(&all->by_id, str_from(x->session->id));
	if (!s)
		s = session_add(all, x->session);
	x->recheck.session = s;
	list_append(&s->tunnels, &x->recheck.in_session);
}

void recheck_session_leave(struct recheck_sessions *all, struct exchange *x)
{
	struct recheck_session *s = TAKE(x->recheck.session);

	if (!s)
		return;
	list_remove(&x->recheck.in_session);
	if (!list_is_empty(&s->tunnels))
		return;
	(void)map_remove(&all->by_id, str_from(s->id)); /* is there */
	list_remove(&s->in_unasked);
	forget_answer(s);
	mem_free(s);
}
