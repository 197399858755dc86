/*
 * A tunnel is in one of two lists: those that are settled, and the queue of those to be asked. A new snapshot moves everybody
 * into the queue; a second one in the middle does the same again, and whoever is asked then is asked about the newest.
 * Nothing but these lists is kept in between, so tunnels may come and go at any time.
 *
 * What is known of sessions is in recheck_session.c; while the store is asked, a tunnel goes on with what it has.
 */

#include "proxy/recheck.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/mem.h"
#include "proxy/audit.h"
#include "proxy/authenticate.h"
#include "proxy/authorize.h"
#include "proxy/change_feed.h"
#include "proxy/client_certificate.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/recheck_session.h"
#include "proxy/route.h"
#include "proxy/upstream_hold.h"
#include "proxy/worker.h"

/* In one turn, besides RECHECK_SLICE_US. */
#define SLICE_MAX 256

/* Deadlines that nobody needs to the second are spread over that much. */
#define SPREAD_MS   15000
#define SPREAD_STEP 37

struct recheck {
	struct worker *worker;
	struct recheck_sessions sessions;
	struct list settled;
	struct list queue;
	struct later later;
	struct change_reader reader;
	unsigned spread_ms;
	uint64_t turn_began_cpu_us; /* 0: the turn before had no slice */
	atomic_uint_fast64_t longest_turn_cpu_us;
};

static struct exchange *exchange_of(struct list_node *in_list)
{
	return container_of(container_of(in_list, struct recheck_place, in_list), struct exchange,
			    recheck);
}

/* ---- the queue ---- */

static void run_slice(struct later *later);

static void put(struct recheck *r, struct list *list, struct exchange *x)
{
	list_remove(&x->recheck.in_list);
	list_append(list, &x->recheck.in_list);
	if (list == &r->queue)
		later_start(&r->later, r->worker->loop, run_slice);
}

void recheck_soon(struct exchange *x)
{
	put(x->worker->recheck, &x->worker->recheck->queue, x);
}

static void on_due(struct timer *timer)
{
	struct recheck_place *place = container_of(timer, struct recheck_place, timer);

	recheck_soon(container_of(place, struct exchange, recheck));
}

/* ---- the decision ---- */

/* The route of the snapshot in force that x would be given; NULL: none, or the tunnel leads elsewhere. */
static struct route *find_route(struct exchange *x)
{
	struct route *route;

	if (x->snapshot == x->worker->snapshot)
		return x->route;
	route = route_find(x->worker->snapshot, x->facts.authority);
	if (!route || route->config->is_udp != x->route->config->is_udp)
		return NULL;
	return upstream_keep(x, route) ? route : NULL;
}

static void move(struct exchange *x, struct route *route)
{
	struct snapshot *old = x->snapshot;

	if (old == x->worker->snapshot)
		return;
	x->route = route;
	x->snapshot = snapshot_ref(x->worker->snapshot);
	x->decision.rule = ""; /* it was the old policy's */
	snapshot_unref(old);
}

static enum recheck_verdict judge_session(struct exchange *x)
{
	enum recheck_knowledge knowledge;
	const char *problem;
	bool is_expired;

	if (!x->session)
		return RECHECK_ALLOWED;
	knowledge = recheck_session_look_up(&x->worker->recheck->sessions, x);
	problem = session_problem(x, x->session);
	is_expired = session_is_expired(x->session, clock_now_unix());
	if (is_expired && knowledge == RECHECK_ASKED) /* it may have been renewed elsewhere */
		return RECHECK_ALLOWED;
	if (is_expired)
		return RECHECK_SESSION_EXPIRED;
	if (problem || knowledge == RECHECK_GONE)
		return RECHECK_SESSION_REVOKED;
	x->session = session_update(x, x->session);
	return RECHECK_ALLOWED;
}

static enum recheck_verdict judge_policy(struct exchange *x)
{
	x->recheck.certificate_until_unix = authorize_decide(x, &x->decision);
	return x->decision.outcome == POLICY_ALLOW ? RECHECK_ALLOWED : RECHECK_POLICY_DENIED;
}

static enum recheck_verdict judge(struct exchange *x, struct route *route)
{
	enum recheck_verdict verdict;

	if (!route)
		return RECHECK_ROUTE_REMOVED;
	move(x, route);
	verdict = judge_session(x);
	return verdict == RECHECK_ALLOWED ? judge_policy(x) : verdict;
}

enum recheck_verdict recheck_decide(struct exchange *x)
{
	return judge(x, find_route(x));
}

/* "off" is about tunnels that are open: they move along, so that no old snapshot is kept, and go on. */
static enum recheck_verdict judge_open(struct exchange *x)
{
	struct route *route = find_route(x);
	const struct route *rules = route ? route : x->route;

	if (rules->config->lifetime.reauthorize)
		return judge(x, route);
	if (route)
		move(x, route);
	return RECHECK_ALLOWED;
}

static const char *end_reason(enum recheck_verdict verdict)
{
	switch (verdict) {
	case RECHECK_ALLOWED:
		break;
	case RECHECK_ROUTE_REMOVED:
		return "route-removed";
	case RECHECK_SESSION_REVOKED:
		return "session-revoked";
	case RECHECK_SESSION_EXPIRED:
		return "session-expired";
	case RECHECK_POLICY_DENIED:
		return "policy-denied";
	}
	return "internal";
}

/* ---- the next time ---- */

static uint64_t earlier(uint64_t due_ms, uint64_t now_ms, int64_t at_unix, int64_t now_unix)
{
	int64_t in_s = at_unix > now_unix ? at_unix - now_unix : 1;
	uint64_t at_ms;

	if (in_s > RECHECK_INTERVAL_MS / 1000)
		return due_ms;
	at_ms = now_ms + (uint64_t)in_s * 1000;
	return at_ms < due_ms ? at_ms : due_ms;
}

static uint64_t duration_limit_ms(const struct exchange *x)
{
	uint64_t limit_ms = x->route->config->lifetime.timeout_ms;

	return limit_ms ? x->started_us / 1000 + limit_ms : UINT64_MAX;
}

/*
 * Moments of the wall clock are waited for on the other one, and not longer than an interval: so a wall clock that is set
 * does not matter for long.
 */
static uint64_t next_moment_ms(struct recheck *r, const struct exchange *x)
{
	uint64_t now_ms = loop_now_ms(r->worker->loop);
	int64_t now_unix = clock_now_unix();
	uint64_t due_ms;

	r->spread_ms = (r->spread_ms + SPREAD_STEP) % SPREAD_MS;
	due_ms = now_ms + RECHECK_INTERVAL_MS - r->spread_ms;
	if (x->session && x->session->valid_until_unix)
		due_ms = earlier(due_ms, now_ms, x->session->valid_until_unix, now_unix);
	due_ms = earlier(due_ms, now_ms, policy_next_change(x->route->policy, now_unix), now_unix);
	return earlier(due_ms, now_ms, x->recheck.certificate_until_unix, now_unix);
}

static void settle(struct recheck *r, struct exchange *x)
{
	uint64_t due_ms = UINT64_MAX;

	if (x->route->config->lifetime.reauthorize)
		due_ms = next_moment_ms(r, x);
	if (duration_limit_ms(x) < due_ms)
		due_ms = duration_limit_ms(x);
	put(r, &r->settled, x);
	if (due_ms < UINT64_MAX)
		timer_start(&x->recheck.timer, r->worker->loop, due_ms, on_due);
	else
		timer_cancel(&x->recheck.timer);
}

static void ask(struct recheck *r, struct exchange *x)
{
	enum recheck_verdict verdict;

	if (loop_now_ms(r->worker->loop) >= duration_limit_ms(x)) {
		exchange_abort(x, "duration-limit");
		return;
	}
	verdict = judge_open(x);
	if (verdict == RECHECK_ALLOWED) {
		settle(r, x);
		return;
	}
	if (verdict == RECHECK_POLICY_DENIED)
		audit_authorize(x);
	exchange_abort(x, end_reason(verdict));
}

uint64_t recheck_longest_turn_cpu_us(const struct recheck *r)
{
	return atomic_load_explicit(&r->longest_turn_cpu_us, memory_order_relaxed);
}

void recheck_forget_longest_turn(struct recheck *r)
{
	atomic_store_explicit(&r->longest_turn_cpu_us, 0, memory_order_relaxed);
}

/* Only this thread writes, but for the one that forgets. */
static void note_turn(struct recheck *r, uint64_t began_cpu_us, uint64_t now_cpu_us)
{
	if (now_cpu_us - began_cpu_us > recheck_longest_turn_cpu_us(r))
		atomic_store_explicit(&r->longest_turn_cpu_us, now_cpu_us - began_cpu_us,
				      memory_order_relaxed);
}

/* As long as there is a queue no turn waits: from the end of a slice to the end of the next is a whole turn. */
static void run_slice(struct later *later)
{
	struct recheck *r = container_of(later, struct recheck, later);
	uint64_t end_us = clock_now_us() + RECHECK_SLICE_US;
	uint64_t began_cpu_us = r->turn_began_cpu_us ? r->turn_began_cpu_us : clock_thread_cpu_us();
	uint64_t now_cpu_us;

	for (size_t i = 0; i < SLICE_MAX && !list_is_empty(&r->queue); i++) {
		ask(r, exchange_of(list_first(&r->queue)));
		if (clock_now_us() >= end_us)
			break;
	}
	now_cpu_us = clock_thread_cpu_us();
	note_turn(r, began_cpu_us, now_cpu_us);
	r->turn_began_cpu_us = list_is_empty(&r->queue) ? 0 : now_cpu_us;
	if (!list_is_empty(&r->queue))
		later_start(&r->later, r->worker->loop, run_slice);
}

/* ---- who is watched ---- */

void recheck_join(struct exchange *x)
{
	struct recheck *r = x->worker->recheck;

	recheck_session_enter(&r->sessions, x);
	/* Asked once more: what happened since the decision was told to those who were here. */
	recheck_soon(x);
}

void recheck_leave(struct exchange *x)
{
	timer_cancel(&x->recheck.timer);
	list_remove(&x->recheck.in_list);
	recheck_session_leave(&x->worker->recheck->sessions, x);
}

/* ---- news ---- */

static void on_news(struct change_reader *reader, const struct change_news *news)
{
	struct recheck *r = container_of(reader, struct recheck, reader);

	if (news->is_everything) {
		recheck_sessions_hear(&r->sessions);
		return;
	}
	for (size_t i = 0; i < news->count; i++)
		recheck_session_changed(r->worker, str_from(news->ids[i]));
}

void recheck_session_changed(struct worker *worker, struct str id)
{
	recheck_session_hear(&worker->recheck->sessions, id);
}

void recheck_all(struct worker *worker)
{
	struct recheck *r = worker->recheck;

	LIST_FOREACH (&r->settled, node) {
		recheck_soon(exchange_of(node));
	}
}

size_t recheck_waiting(const struct recheck *r)
{
	size_t count = 0;

	LIST_FOREACH (&r->queue, node) {
		count++;
	}
	return count;
}

/* ---- birth and death ---- */

struct recheck *recheck_new(struct worker *worker)
{
	struct recheck *r = mem_alloc(sizeof(*r));
	struct change_feed *feed = worker->shared.control->changes;

	r->worker = worker;
	recheck_sessions_init(&r->sessions, worker);
	list_init(&r->settled);
	list_init(&r->queue);
	r->reader.mailbox = worker->mailbox;
	r->reader.on_news = on_news;
	if (feed)
		change_feed_join(feed, &r->reader);
	return r;
}

void recheck_stop(struct recheck *r)
{
	if (!r)
		return;
	change_feed_leave(&r->reader);
	later_cancel(&r->later);
}

void recheck_free(struct recheck *r)
{
	if (!r)
		return;
	assert(list_is_empty(&r->settled) && list_is_empty(&r->queue));
	change_reader_done(&r->reader);
	recheck_sessions_done(&r->sessions);
	mem_free(r);
}
