/*
 * A round: load on a helper thread; prepare, on this one, all that can fail; commit; wait for the workers; tell. What the
 * helper works on is its own (struct load), so that closing in the middle of it needs no waiting.
 *
 * Files are watched as they were before they were read: what changes while it is read is noticed afterwards.
 */

#include "proxy/reload.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/report.h"
#include "http/fetch.h"
#include "io/file_watch.h"
#include "io/loop.h"
#include "io/work.h"
#include "proxy/audit_file.h"
#include "proxy/configuration.h"
#include "proxy/control.h"
#include "proxy/health_check.h"
#include "proxy/listening.h"
#include "proxy/metrics.h"
#include "proxy/old_snapshots.h"
#include "proxy/recheck.h"
#include "proxy/redirect_listener.h"
#include "proxy/reload_changes.h"
#include "proxy/reload_log.h"
#include "proxy/service_manager.h"
#include "proxy/shutdown.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "session/store.h"

struct reload {
	struct control *control;
	const struct config_source *source;
	struct file_watch *watch;
	struct file_set *files; /* what the last load has read */
	struct old_snapshots *old;
	struct restart_settings running;
	unsigned told; /* restart settings that were warned of */

	bool is_held;
	const char *why;     /* somebody has asked; NULL: nobody */
	struct list waiting; /* for the next round */

	const char *round;   /* why it takes place; NULL: there is none */
	struct list waiters; /* of this round */
	struct work *work;
	size_t updates; /* workers that have not answered */
	struct report report;
	struct reload_changes changes;
	struct reload_state state;
};

/* What a round has made and nobody uses yet. */
struct prepared {
	bool listens;
	struct listening listening;
	struct redirect_change redirects;
	struct metrics_change metrics;
	int audit_fd; /* -1: none */
};

/* ---- loading ---- */

struct load {
	struct reload *reload;
	const struct config_source *source;
	struct snapshot *previous;
	struct file_set *before;
	struct log *log;
	struct snapshot *snapshot;
	struct report report;
	struct file_set *files;
};

static void run_load(void *arg)
{
	struct load *load = arg;
	int64_t moment = file_set_moment();
	struct file_set *before = file_set_look(load->before);

	load->snapshot = configuration_load(load->source, load->previous, load->log, &load->report);
	load->files = file_set_new(load->report.files, load->report.file_count, before, moment);
	file_set_free(before);
}

static void free_load(void *arg)
{
	struct load *load = arg;

	snapshot_unref(load->previous);
	snapshot_unref(load->snapshot);
	file_set_free(load->before);
	file_set_free(load->files);
	report_done(&load->report);
	mem_free(load);
}

/* ---- telling ---- */

static void begin_if_asked(struct reload *r);

static void tell_waiters(struct reload *r, const struct reload_outcome *outcome)
{
	struct list_node *node;

	while ((node = list_first(&r->waiters))) {
		struct reload_wait *wait = container_of(node, struct reload_wait, node);

		list_remove(node);
		wait->on_done(wait, outcome);
	}
}

static void note_result(struct reload_state *state, const struct reload_outcome *outcome)
{
	state->last_unix = clock_now_unix();
	state->is_last_good = outcome->is_good;
	if (outcome->is_good) {
		state->success_count++;
		state->last_success_unix = state->last_unix;
		return;
	}
	state->failure_count++;
	if (outcome->error)
		state->last_problem = *outcome->error;
	else
		(void)err_set(&state->last_problem, ERR_CONFIG, "%s",
			      reload_first_problem(outcome->report));
}

static void end_round(struct reload *r, const struct reload_outcome *outcome)
{
	note_result(&r->state, outcome);
	service_manager_ready(r->control->life.service_manager);
	reload_log(r->control->log, TAKE(r->round), outcome);
	tell_waiters(r, outcome);
	report_done(&r->report);
	r->report = (struct report){ 0 };
	begin_if_asked(r);
}

static void fail_round(struct reload *r, const struct err *e)
{
	end_round(r, &(struct reload_outcome){ .report = &r->report, .error = e });
}

/* Each is warned of when it appears, not at every reload. */
static void end_good_round(struct reload *r)
{
	const struct config *config = r->control->snapshot->config;
	unsigned restart = restart_settings_compare(&r->running, config);

	reload_log_restart(r->control->log, restart & ~r->told);
	r->told = restart;
	predecessor_reload(&r->control->life.predecessor);
	end_round(r, &(struct reload_outcome){
			     .is_good = true,
			     .report = &r->report,
			     .changes = &r->changes,
			     .restart = restart,
		     });
}

/* ---- putting it in force ---- */

struct update {
	struct worker_update to_worker;
	struct reload *reload;
};

static void on_updated(struct worker_update *to_worker)
{
	struct update *update = container_of(to_worker, struct update, to_worker);
	struct reload *r = update->reload;

	mem_free(update);
	if (--r->updates == 0)
		end_good_round(r);
}

static void on_update_gone(struct worker_update *to_worker)
{
	mem_free(container_of(to_worker, struct update, to_worker));
}

static void update_workers(struct reload *r, struct listening *listening)
{
	struct control *c = r->control;

	r->updates = c->worker_count;
	for (size_t i = 0; i < c->worker_count; i++) {
		struct update *update = mem_alloc(sizeof(*update));

		update->reload = r;
		update->to_worker = (struct worker_update){
			.snapshot = snapshot_ref(c->snapshot),
			.socket = listening->count ? listening_take(listening, i) : -1,
			.answer_to = c->mailbox,
			.on_done = on_updated,
			.on_gone = on_update_gone,
		};
		worker_update(c->workers[i], &update->to_worker);
	}
}

static void discard(struct prepared *p)
{
	redirect_change_discard(&p->redirects);
	metrics_change_discard(&p->metrics);
	listening_done(&p->listening);
	if (p->audit_fd >= 0)
		(void)close(p->audit_fd); /* nothing was written to it */
}

/* Who is about to end listens at nothing new. */
static int prepare_listening(struct reload *r, const struct snapshot *next, struct prepared *p,
			     struct err *e)
{
	struct control *c = r->control;
	const struct config_listen *listen = &next->config->listen;

	if (r->changes.has_new_address && c->life.activated & 1u << SOCKET_MAIN) {
		r->changes.has_new_address = false;
		log_message(c->log, LOG_WARN, "proxy",
			    "address has changed: the socket of the service manager serves on");
	}
	p->listens = shutdown_state(c->life.shutdown) == SHUTDOWN_RUNNING;
	if (!p->listens)
		return 0;
	if (redirect_listener_prepare(c->redirects, listen, &p->redirects, e) < 0 ||
	    metrics_prepare(c->metrics, next, &p->metrics, e) < 0)
		return -1;
	if (r->changes.has_new_address &&
	    listening_open(&p->listening, &listen->address, c->worker_count, &c->address, e) < 0)
		return err_wrap(e, "address");
	return 0;
}

/* All that can fail; what comes last needs no undoing. What was made before a failure is the caller's. */
static int prepare(struct reload *r, const struct snapshot *next, struct prepared *p, struct err *e)
{
	struct control *c = r->control;
	struct str before = c->snapshot->config->tls.authority_pem;
	struct str after = next->config->tls.authority_pem;

	if (prepare_listening(r, next, p, e) < 0 ||
	    audit_file_prepare(&next->config->logs, &p->audit_fd, e) < 0)
		return -1;
	if (!str_equal(before, after) && fetcher_set_authorities(c->fetcher, after, e) < 0)
		return err_wrap(e, "certificate_authority");
	return 0;
}

/* Cannot fail. */
static void commit(struct reload *r, struct snapshot *next, struct prepared *p)
{
	struct control *c = r->control;
	struct listening *listening = &p->listening;

	old_snapshots_add(r->old, TAKE(c->snapshot));
	c->snapshot = next;
	if (p->listens) {
		redirect_listener_commit(c->redirects, &next->config->listen, &p->redirects);
		metrics_commit(c->metrics, next, &p->metrics);
	}
	audit_file_commit(c->audit, p->audit_fd);
	health_checks_set(c->health_checks, next);
	log_set_level(c->log, next->config->logs.level);
	if (listening->count)
		c->address = listening->address;
	if (r->changes.has_new_keys)
		store_set_shared_key(c->store, next->shared_key);
	update_workers(r, listening);
}

static void watch_files(struct reload *r, const struct config *config)
{
	file_watch_set(r->watch, config->watches_files ? file_set_copy(r->files) : NULL);
}

static void on_loaded(void *arg)
{
	struct load *load = arg;
	struct reload *r = load->reload;
	struct snapshot *next = TAKE(load->snapshot);
	struct prepared prepared = { .audit_fd = -1 };
	struct err e = { 0 };

	r->work = NULL;
	file_set_free(r->files);
	r->files = TAKE(load->files);
	r->report = load->report;
	load->report = (struct report){ 0 };
	watch_files(r, next ? next->config : r->control->snapshot->config);
	if (!next) {
		fail_round(r, NULL);
		return;
	}
	reload_changes_find(r->control->snapshot, next, &r->changes);
	if (prepare(r, next, &prepared, &e) < 0) {
		discard(&prepared);
		old_snapshots_add(r->old, next);
		fail_round(r, &e);
		return;
	}
	commit(r, next, &prepared);
}

/* ---- asking ---- */

static void forget_longest_turns(struct control *c)
{
	for (size_t i = 0; i < c->worker_count; i++) {
		loop_forget_longest_turn(c->workers[i]->loop);
		recheck_forget_longest_turn(c->workers[i]->recheck);
	}
}

static void begin_round(struct reload *r)
{
	struct load *load = mem_alloc(sizeof(*load));
	struct list_node *node;

	r->round = TAKE(r->why);
	service_manager_reloading(r->control->life.service_manager);
	while ((node = list_first(&r->waiting))) {
		list_remove(node);
		list_append(&r->waiters, node);
	}
	forget_longest_turns(r->control);
	load->reload = r;
	load->source = r->source;
	load->previous = snapshot_ref(r->control->snapshot);
	load->before = file_set_copy(r->files);
	load->log = r->control->log;
	r->work = work_start(r->control->loop, run_load, on_loaded, free_load, load);
}

static void begin_if_asked(struct reload *r)
{
	if (r->why && !r->round && !r->is_held)
		begin_round(r);
}

const struct reload_state *reload_state(const struct reload *r)
{
	return &r->state;
}

void reload_request(struct reload *r, const char *why)
{
	r->why = why;
	begin_if_asked(r);
}

void reload_ask(struct reload *r, const char *why, struct reload_wait *wait)
{
	list_append(&r->waiting, &wait->node);
	reload_request(r, why);
}

bool reload_hold(struct reload *r)
{
	if (r->round)
		return false;
	r->is_held = true;
	return true;
}

void reload_release(struct reload *r)
{
	if (!r || !r->is_held)
		return;
	r->is_held = false;
	begin_if_asked(r);
}

void reload_cancel(struct reload_wait *wait)
{
	list_remove(&wait->node);
}

/* ---- birth and death ---- */

static void on_file_change(void *arg)
{
	reload_request(arg, "a file has changed");
}

struct reload *reload_open(struct control *control, const struct config_source *source,
			   struct file_set *files)
{
	struct reload *r = mem_alloc(sizeof(*r));
	int64_t now = clock_now_unix();

	r->control = control;
	r->source = source;
	r->files = files;
	r->old = old_snapshots_new(control->loop);
	list_init(&r->waiting);
	list_init(&r->waiters);
	restart_settings_init(&r->running, control->snapshot->config);
	r->state = (struct reload_state){
		.last_unix = now,
		.last_success_unix = now,
		.is_last_good = true,
	};
	r->watch = file_watch_new(control->loop, on_file_change, r);
	watch_files(r, control->snapshot->config);
	return r;
}

static void forget_all(struct list *waits)
{
	LIST_FOREACH (waits, node)
		list_remove(node);
}

void reload_close(struct reload *r)
{
	if (!r)
		return;
	forget_all(&r->waiting);
	forget_all(&r->waiters);
	work_cancel(TAKE(r->work));
	file_watch_close(TAKE(r->watch));
	file_set_free(TAKE(r->files));
	old_snapshots_free(TAKE(r->old));
	restart_settings_done(&r->running);
	report_done(&r->report);
	mem_free(r);
}
