/*
 * The control thread makes the worker whole (loop, resolver, listener) before its thread exists, and takes it apart after
 * the thread has ended; in between only the mailbox is touched from outside.
 *
 * An update ends on the thread that has sent it: with the old listener's end, if there is a new one. Until then it waits here, one
 * at a time (reload.h).
 */

#include "proxy/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/resolver.h"
#include "proxy/connection.h"
#include "proxy/deal.h"
#include "proxy/exchange.h"
#include "proxy/recheck.h"

struct worker_thread {
	pthread_t id;
	bool is_running;
	struct listener *listener;
	struct listener *retiring;    /* the one before it, or NULL */
	struct worker_update *update; /* waits for the end of that one */
	struct worker_leave *leave;   /* waits for the end of the listener */
	struct timer grace;
	size_t next_dealt; /* whose turn it is */
	struct stop_message {
		struct mailbox_message message;
		struct worker *worker;
	} stop;
};

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	connection_open(arg, stream, peer);
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	struct worker *w = arg;
	struct log_line line;

	log_begin(w->shared.log, &line, LOG_ERROR, "proxy");
	log_cstr(&line, "error", e->text);
	log_uint(&line, "connections-closed", shed_count);
	log_end(&line, "cannot accept connections: still listening");
}

static const struct listener_events listener_events = {
	.on_accept = on_accept,
	.on_problem = on_problem,
};

static void on_socket(void *arg, int fd, const struct addr *peer)
{
	struct worker *w = arg;

	deal_out(w->shared.control, w->thread->next_dealt++, fd, peer);
}

static const struct listener_events dealing_events = {
	.on_socket = on_socket,
	.on_problem = on_problem,
};

/* ---- updates ---- */

static void deliver_answer(struct mailbox_message *message)
{
	struct worker_update *u = container_of(message, struct worker_update, message);

	u->on_done(u);
}

static void discard_update(struct mailbox_message *message)
{
	struct worker_update *u = container_of(message, struct worker_update, message);

	snapshot_unref(TAKE(u->snapshot));
	if (u->socket >= 0)
		(void)close(u->socket); /* nobody was served yet */
	u->on_gone(u);
}

static void answer_update(struct worker_update *u)
{
	u->message.deliver = deliver_answer;
	mailbox_post(u->answer_to, &u->message);
}

static void on_retired(void *arg)
{
	struct worker *w = arg;

	w->thread->retiring = NULL;
	answer_update(TAKE(w->thread->update));
}

/* False: there is none to be retired, since the one there is stays. */
static bool change_listener(struct worker *w, int socket)
{
	struct err e = { 0 };
	struct listener *listener = listener_adopt(w->loop, socket, &listener_events, w, &e);

	if (!listener) {
		log_error(w->shared.log, LOG_ERROR, "proxy",
			  "a worker cannot listen at the new address", &e);
		return false;
	}
	w->thread->retiring = w->thread->listener;
	w->thread->listener = listener;
	listener_retire(w->thread->retiring, on_retired);
	return true;
}

static void deliver_update(struct mailbox_message *message)
{
	struct worker_update *u = container_of(message, struct worker_update, message);
	struct worker *w = u->worker;
	int socket = u->socket;

	u->socket = -1;
	snapshot_unref(w->snapshot);
	w->snapshot = TAKE(u->snapshot);
	recheck_all(w);
	if (socket >= 0 && change_listener(w, socket))
		w->thread->update = u;
	else
		answer_update(u);
}

void worker_update(struct worker *w, struct worker_update *u)
{
	u->worker = w;
	u->message.deliver = deliver_update;
	u->message.discard = discard_update;
	mailbox_post(w->mailbox, &u->message);
}

/* ---- leaving ---- */

static void deliver_left(struct mailbox_message *message)
{
	struct worker_leave *l = container_of(message, struct worker_leave, message);

	l->on_done(l);
}

static void answer_leave(struct worker_leave *l)
{
	l->message.deliver = deliver_left;
	mailbox_post(l->answer_to, &l->message);
}

static void on_finished(void *arg)
{
	struct worker *w = arg;

	w->thread->listener = NULL;
	answer_leave(TAKE(w->thread->leave));
}

/* Who has asked for nothing until now is in no hurry. */
static void on_grace_over(struct timer *timer)
{
	struct worker *w = container_of(timer, struct worker_thread, grace)->stop.worker;

	LIST_FOREACH (&w->connections, node) {
		struct connection *c = container_of(node, struct connection, in_worker);

		if (connection_is_idle(c))
			connection_close(c, "shutdown");
	}
}

static void deliver_leave(struct mailbox_message *message)
{
	struct worker_leave *l = container_of(message, struct worker_leave, message);
	struct worker *w = l->worker;

	w->mode = l->mode;
	LIST_FOREACH (&w->connections, node)
		connection_finish(container_of(node, struct connection, in_worker));
	timer_start(&w->thread->grace, w->loop, loop_now_ms(w->loop) + l->grace_ms, on_grace_over);
	if (!w->thread->listener) {
		answer_leave(l);
		return;
	}
	if (w->thread->leave) /* overtaken: the listener tells of its end once */
		answer_leave(TAKE(w->thread->leave));
	w->thread->leave = l;
	if (l->retires)
		listener_retire(w->thread->listener, on_finished);
	else
		listener_finish(w->thread->listener, on_finished);
}

void worker_leave(struct worker *w, struct worker_leave *l)
{
	l->worker = w;
	l->message.deliver = deliver_leave;
	mailbox_post(w->mailbox, &l->message);
}

/* ---- sharing ---- */

static void deliver_shared(struct mailbox_message *message)
{
	struct worker_share *s = container_of(message, struct worker_share, message);

	s->on_done(s);
}

static void discard_shared(struct mailbox_message *message)
{
	struct worker_share *s = container_of(message, struct worker_share, message);

	if (s->socket >= 0)
		(void)close(s->socket); /* a copy */
}

static void deliver_share(struct mailbox_message *message)
{
	struct worker_share *s = container_of(message, struct worker_share, message);
	struct listener *listener = s->worker->thread->listener;

	if (listener)
		s->socket = fcntl(listener_fd(listener), F_DUPFD_CLOEXEC, 0);
	message->deliver = deliver_shared;
	message->discard = discard_shared;
	mailbox_post(s->answer_to, message);
}

void worker_share(struct worker *w, struct worker_share *s)
{
	s->worker = w;
	s->socket = -1;
	s->message.deliver = deliver_share;
	mailbox_post(w->mailbox, &s->message);
}

/* ---- life ---- */

static void close_everything(struct worker *w)
{
	listener_close(TAKE(w->thread->listener));
	listener_close(TAKE(w->thread->retiring));
	timer_cancel(&w->thread->grace);
	if (w->thread->update)
		answer_update(TAKE(w->thread->update));
	LIST_FOREACH (&w->connections, node) {
		connection_close(container_of(node, struct connection, in_worker), "shutdown");
	}
	LIST_FOREACH (&w->exchanges, node) {
		exchange_abort(container_of(node, struct exchange, in_worker), "shutdown");
	}
}

static void deliver_stop(struct mailbox_message *message)
{
	struct worker *w = container_of(message, struct stop_message, message)->worker;

	close_everything(w);
	loop_stop(w->loop);
}

static void *run_thread(void *arg)
{
	struct worker *w = arg;

	loop_run(w->loop);
	/* Helper threads may still be hashing; their jobs come back here to be released. */
	while (w->password_jobs > 0)
		loop_turn(w->loop, true);
	return NULL;
}

struct worker *worker_new(const struct worker_shared *shared, struct snapshot *snapshot, int socket,
			  struct err *e)
{
	struct worker *w = mem_alloc(sizeof(*w));

	w->shared = *shared;
	w->snapshot = snapshot_ref(snapshot);
	w->loop = loop_new();
	w->thread = mem_alloc(sizeof(*w->thread));
	w->thread->stop.worker = w;
	list_init(&w->connections);
	list_init(&w->handshakes.waiting);
	list_init(&w->exchanges);
	w->mailbox = mailbox_open(w->loop);
	w->recheck = recheck_new(w);
	if (socket >= 0)
		w->thread->listener = listener_adopt(
			w->loop, socket, shared->deals ? &dealing_events : &listener_events, w, e);
	if (w->thread->listener || socket < 0)
		w->resolver = resolver_new(w->loop, e);
	if (!w->resolver) {
		worker_free(w);
		return NULL;
	}
	return w;
}

int worker_start(struct worker *w, struct err *e)
{
	int errnum = pthread_create(&w->thread->id, NULL, run_thread, w);

	if (errnum != 0)
		return err_errno(e, errnum, "starting a worker thread");
	w->thread->is_running = true;
	return 0;
}

void worker_stop(struct worker *w)
{
	struct stop_message *stop = &w->thread->stop;

	if (w->thread->is_running) {
		stop->message.deliver = deliver_stop;
		mailbox_post(w->mailbox, &stop->message);
		(void)pthread_join(w->thread->id, NULL); /* cannot fail for a thread of ours */
		w->thread->is_running = false;
	} else if (w->thread->listener) {
		close_everything(w);
	}
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	recheck_stop(w->recheck);
	mailbox_close(TAKE(w->mailbox));
	recheck_free(TAKE(w->recheck));
	resolver_free(TAKE(w->resolver));
	loop_turn(w->loop, false);
	loop_free(TAKE(w->loop));
	snapshot_unref(TAKE(w->snapshot));
	mem_free(TAKE(w->thread));
	mem_free(w);
}
