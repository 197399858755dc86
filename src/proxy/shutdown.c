/*
 * Every worker answers when its listener is gone and whoever had waited there is accepted. From then on the number of
 * connections, which tunnels are among, can only fall; when it is 0 there is nothing left to wait for. It is looked at
 * now and then: a worker has no reason to know that somebody counts.
 */

#include "proxy/shutdown.h"

#include <assert.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "proxy/control.h"
#include "proxy/redirect_listener.h"
#include "proxy/service_manager.h"
#include "proxy/snapshot.h"
#include "proxy/upgrade.h"
#include "proxy/worker.h"

#define LOOK_MS 50
#define SAY_MS  60000

struct shutdown {
	struct control *control;
	enum shutdown_state state;
	unsigned signals;
	size_t serving;              /* workers that have not answered */
	struct worker_leave *leaves; /* of all workers, for each of two modes */
	struct timer look;
	uint64_t next_say_ms;
	uint64_t deadline_ms; /* 0: none */
	int64_t until_unix;
};

static const char *const state_names[] = {
	[SHUTDOWN_RUNNING] = "running",
	[SHUTDOWN_RETIRED] = "retired",
	[SHUTDOWN_DRAINING] = "draining",
	[SHUTDOWN_ENDING] = "ending",
};

enum shutdown_state shutdown_state(const struct shutdown *s)
{
	return s->state;
}

const char *shutdown_state_name(const struct shutdown *s)
{
	return state_names[s->state];
}

uint64_t shutdown_tunnels(const struct shutdown *s)
{
	return atomic_load(&s->control->admission.tunnels);
}

int64_t shutdown_until_unix(const struct shutdown *s)
{
	return s->until_unix;
}

static void log_left(struct shutdown *s, const char *why, const char *message)
{
	char until[CLOCK_RFC3339_MAX];
	struct log_line line;

	log_begin(s->control->log, &line, LOG_INFO, "proxy");
	if (why)
		log_cstr(&line, "why", why);
	log_uint(&line, "tunnels", shutdown_tunnels(s));
	if (s->until_unix) {
		clock_format_rfc3339(s->until_unix, until);
		log_cstr(&line, "until", until);
	}
	log_end(&line, message);
}

/* The one place where the state changes. */
static void enter(struct shutdown *s, enum shutdown_state state, const char *why)
{
	static const char *const messages[] = {
		[SHUTDOWN_RETIRED] =
			"another process has taken over: serving open tunnels to their end",
		[SHUTDOWN_DRAINING] = "shutting down",
		[SHUTDOWN_ENDING] = "ending",
	};

	assert(state > s->state);
	s->state = state;
	log_left(s, why, messages[state]);
	if (state == SHUTDOWN_ENDING)
		loop_stop(s->control->loop);
}

/* ---- waiting ---- */

static const char *reason_to_end(const struct shutdown *s, uint64_t now_ms)
{
	if (s->serving == 0 && atomic_load(&s->control->admission.connections.inside) == 0)
		return "nothing is left to be served";
	if (s->deadline_ms && now_ms >= s->deadline_ms)
		return "drain_timeout is over";
	return NULL;
}

static void on_look(struct timer *timer)
{
	struct shutdown *s = container_of(timer, struct shutdown, look);
	uint64_t now_ms = loop_now_ms(s->control->loop);
	const char *why = reason_to_end(s, now_ms);

	if (why) {
		enter(s, SHUTDOWN_ENDING, why);
		return;
	}
	if (now_ms >= s->next_say_ms) {
		s->next_say_ms += SAY_MS;
		log_left(s, NULL, "waiting for open tunnels");
		if (s->state == SHUTDOWN_DRAINING)
			service_manager_stopping(s->control->life.service_manager);
	}
	timer_start(&s->look, s->control->loop, now_ms + LOOK_MS, on_look);
}

static void on_left(struct worker_leave *leave)
{
	struct control *control = leave->worker->shared.control;

	control->life.shutdown->serving--;
}

static void stop_accepting(struct shutdown *s, enum worker_mode mode, uint64_t grace_ms,
			   const bool *unused)
{
	struct control *c = s->control;
	size_t first = mode == WORKER_REFUSES ? c->worker_count : 0;

	if (!s->leaves)
		s->leaves = mem_alloc_array(2 * c->worker_count, sizeof(*s->leaves));
	for (size_t i = 0; i < c->worker_count; i++) {
		struct worker_leave *leave = &s->leaves[first + i];

		leave->mode = mode;
		leave->grace_ms = grace_ms;
		leave->retires = unused && unused[i];
		leave->answer_to = c->mailbox;
		leave->on_done = on_left;
		s->serving++;
		worker_leave(c->workers[i], leave);
	}
	redirect_listener_stop(c->redirects);
	s->next_say_ms = loop_now_ms(c->loop) + SAY_MS;
	timer_start(&s->look, c->loop, loop_now_ms(c->loop) + LOOK_MS, on_look);
}

/* ---- what is asked of it ---- */

void shutdown_drain(struct shutdown *s, const char *why)
{
	uint64_t drain_ms = s->control->snapshot->config->timeouts.drain_ms;

	if (s->state >= SHUTDOWN_DRAINING)
		return;
	s->deadline_ms = loop_now_ms(s->control->loop) + drain_ms;
	s->until_unix = clock_now_unix() + (int64_t)(drain_ms / 1000);
	enter(s, SHUTDOWN_DRAINING, why);
	upgrade_give_up(s->control->life.upgrade);
	service_manager_stopping(s->control->life.service_manager);
	stop_accepting(s, WORKER_REFUSES, SHUTDOWN_GRACE_MS, NULL);
}

void shutdown_on_signal(struct shutdown *s, int number)
{
	const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";

	if (s->signals++ == 0)
		shutdown_drain(s, name);
	else if (s->state < SHUTDOWN_ENDING)
		enter(s, SHUTDOWN_ENDING, "a second signal");
}

void shutdown_retire(struct shutdown *s, const bool *unused)
{
	if (s->state >= SHUTDOWN_RETIRED)
		return;
	enter(s, SHUTDOWN_RETIRED, NULL);
	stop_accepting(s, WORKER_FINISHES, SHUTDOWN_RETIRED_MS, unused);
}

/* ---- birth and death ---- */

struct shutdown *shutdown_new(struct control *control)
{
	struct shutdown *s = mem_alloc(sizeof(*s));

	s->control = control;
	return s;
}

void shutdown_free(struct shutdown *s)
{
	if (!s)
		return;
	timer_cancel(&s->look);
	mem_free(s->leaves);
	mem_free(s);
}
