/*
 * IDLE -> GATHERING -> STARTING -> DONE, or back to IDLE with a reason. Gathering asks the workers for their sockets, when
 * no reload is under way that may replace them. A new process that has failed is waited for until it has ended, so that
 * the next attempt does not meet it.
 */

#include "proxy/upgrade.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/loop.h"
#include "proxy/admin.h"
#include "proxy/control.h"
#include "proxy/given_sockets.h"
#include "proxy/health.h"
#include "proxy/metrics.h"
#include "proxy/predecessor.h"
#include "proxy/redirect_listener.h"
#include "proxy/reload.h"
#include "proxy/service_manager.h"
#include "proxy/shutdown.h"
#include "proxy/upgrade_start.h"
#include "proxy/worker.h"

#define RETRY_MS  20
#define WORDS_MAX 4096

enum upgrade_state { UPGRADE_IDLE, UPGRADE_GATHERING, UPGRADE_STARTING, UPGRADE_DONE };

struct upgrade {
	struct control *control;
	const char *const *argv;
	enum upgrade_state state;
	struct list waiting;
	struct worker_share *shares; /* of all workers */
	size_t sharing;              /* workers that have not answered */
	struct given_sockets sockets;
	struct child *child; /* until it has ended */
	int hear_fd;         /* -1: it says nothing any more */
	struct watch hear;
	struct buf words;
	struct timer timer;
	struct err problem; /* why it is to be given up; ERR_NONE: it is not */
};

/* ---- the end of an attempt ---- */

static void tell_waiting(struct upgrade *u, pid_t successor, const struct err *problem)
{
	struct list_node *node;

	while ((node = list_first(&u->waiting))) {
		struct upgrade_wait *wait = container_of(node, struct upgrade_wait, node);

		list_remove(node);
		wait->on_done(wait, successor, problem);
	}
}

static void stop_hearing(struct upgrade *u)
{
	if (u->hear_fd < 0)
		return;
	watch_close(&u->hear);
	(void)close(u->hear_fd); /* nothing was written */
	u->hear_fd = -1;
}

static void let_go(struct upgrade *u)
{
	stop_hearing(u);
	timer_cancel(&u->timer);
	given_sockets_done(&u->sockets);
	buf_done(&u->words);
	reload_release(u->control->reload);
}

static void fail(struct upgrade *u, const struct err *problem)
{
	let_go(u);
	u->state = UPGRADE_IDLE;
	log_error(u->control->log, LOG_ERROR, "upgrade",
		  "no upgrade: the process that was there goes on", problem);
	tell_waiting(u, 0, problem);
}

/* Sockets of workers that the new process has no use for: by number, from first on. */
static bool *find_unused(const struct upgrade *u, struct str numbers)
{
	bool *unused = mem_alloc_array(u->control->worker_count, sizeof(*unused));
	struct str word;

	while (!str_is_empty(numbers) && str_cut(&numbers, ' ', &word)) {
		uint64_t number;

		if (str_to_uint64(word, &number) && number >= UPGRADE_FIRST_SOCKET &&
		    number - UPGRADE_FIRST_SOCKET < u->control->worker_count)
			unused[number - UPGRADE_FIRST_SOCKET] = true;
	}
	return unused;
}

static void succeed(struct upgrade *u, struct str unused_numbers)
{
	struct control *c = u->control;
	pid_t successor = child_pid(u->child);
	bool *unused = find_unused(u, unused_numbers);
	struct log_line line;

	log_begin(c->log, &line, LOG_INFO, "upgrade");
	log_int(&line, "pid", successor);
	log_end(&line, "the new process serves");
	u->state = UPGRADE_DONE;
	service_manager_hand_over(c->life.service_manager, successor);
	tell_waiting(u, successor, NULL);
	admin_stop(c->admin);
	health_stop(c->health);
	metrics_stop(c->metrics);
	shutdown_retire(c->life.shutdown, unused);
	mem_free(unused);
	let_go(u);
}

/* ---- what the new process says ---- */

static void on_child_exit(void *arg, int64_t status, int signal)
{
	struct upgrade *u = arg;
	struct err problem = u->problem;

	child_close(TAKE(u->child));
	if (u->state != UPGRADE_STARTING) {
		log_message(u->control->log, LOG_INFO, "upgrade",
			    "the process that has taken over has ended");
		return;
	}
	if (problem.kind == ERR_NONE && signal)
		(void)err_set(&problem, ERR_SYSTEM, "the new process was ended by signal %d",
			      signal);
	else if (problem.kind == ERR_NONE)
		(void)err_set(&problem, ERR_SYSTEM, "the new process has ended with status %lld",
			      (long long)status);
	fail(u, &problem);
}

/* What is wrong was said already, and the end is near; or it will be soon. */
static void give_up(struct upgrade *u, const struct err *problem)
{
	if (u->problem.kind == ERR_NONE)
		u->problem = *problem;
	child_kill(u->child);
}

static void on_late(struct timer *timer)
{
	struct upgrade *u = container_of(timer, struct upgrade, timer);
	struct err problem;

	(void)err_set(&problem, ERR_TIMEOUT, "the new process was not ready within %d s",
		      UPGRADE_TIMEOUT_MS / 1000);
	give_up(u, &problem);
}

static void understand(struct upgrade *u)
{
	struct str rest = buf_view(&u->words);
	struct str line;
	struct str word;

	if (!str_contains(rest, STR("\n")))
		return;
	(void)str_cut(&rest, '\n', &line); /* there is one */
	(void)str_cut(&line, ' ', &word);
	if (str_equal(word, STR(PREDECESSOR_READY)) && u->problem.kind == ERR_NONE) {
		succeed(u, line);
		return;
	}
	stop_hearing(u);
	if (u->problem.kind != ERR_NONE)
		return;
	if (str_equal(word, STR(PREDECESSOR_FAILED)))
		(void)err_set(&u->problem, ERR_CONFIG, "%.*s", STR_FMT(line));
	else
		(void)err_set(&u->problem, ERR_PROTOCOL,
			      "the new process has said \"%.*s\", which is not understood",
			      STR_FMT(word));
}

static void on_words(struct watch *watch, unsigned events)
{
	struct upgrade *u = container_of(watch, struct upgrade, hear);
	char piece[512];
	ssize_t got = 0;

	while (u->hear_fd >= 0 && (got = read(u->hear_fd, piece, sizeof(piece))) > 0) {
		if (buf_append(&u->words, piece, (size_t)got) < 0)
			stop_hearing(u);
		else
			understand(u);
	}
	if (u->hear_fd >= 0 && got < 0 && errno == EAGAIN)
		watch_want(&u->hear, WATCH_READ);
	else if (u->hear_fd >= 0) /* its end follows */
		stop_hearing(u);
}

/* ---- starting ---- */

static void start(struct upgrade *u)
{
	const struct child_options child = { .argv = u->argv, .on_exit = on_child_exit, .arg = u };
	struct loop *loop = u->control->loop;
	struct err e = { 0 };

	u->words = BUF_INIT(WORDS_MAX);
	u->child = upgrade_start(loop, &child, &u->sockets, &u->hear_fd, &e);
	if (!u->child) {
		fail(u, &e);
		return;
	}
	u->state = UPGRADE_STARTING;
	u->problem = (struct err){ 0 };
	given_sockets_done(&u->sockets); /* they have gone over */
	timer_start(&u->timer, loop, loop_now_ms(loop) + UPGRADE_TIMEOUT_MS, on_late);
	if (watch_open(&u->hear, loop, u->hear_fd, on_words, &e) < 0) {
		give_up(u, &e);
		return;
	}
	watch_want(&u->hear, WATCH_READ);
}

/* ---- gathering ---- */

static int add(struct upgrade *u, int fd, enum socket_purpose purpose, struct err *e)
{
	struct given_socket socket = {
		.fd = fd,
		.purpose = purpose,
		.is_activated = u->control->life.activated & 1u << purpose,
	};

	if (fd < 0)
		return 0;
	if (given_sockets_add(&u->sockets, &socket, e) == 0)
		return 0;
	(void)close(fd); /* a copy */
	return -1;
}

static int copy_of(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* An activated socket is the first worker's alone. */
static int gather(struct upgrade *u, struct err *e)
{
	struct control *c = u->control;
	size_t count = c->life.activated & 1u << SOCKET_MAIN ? 1 : c->worker_count;

	for (size_t i = 0; i < count; i++) {
		int fd = u->shares[i].socket;

		u->shares[i].socket = -1;
		if (fd < 0)
			return err_set(e, ERR_LIMIT, "there are no descriptors left");
		if (add(u, fd, SOCKET_MAIN, e) < 0)
			return -1;
	}
	if (add(u, copy_of(redirect_listener_fd(c->redirects)), SOCKET_REDIRECT, e) < 0 ||
	    add(u, copy_of(health_fd(c->health)), SOCKET_HEALTH, e) < 0)
		return -1;
	return add(u, copy_of(metrics_fd(c->metrics)), SOCKET_METRICS, e);
}

static void drop_shares(struct upgrade *u)
{
	for (size_t i = 0; i < u->control->worker_count; i++)
		if (u->shares[i].socket >= 0)
			(void)close(u->shares[i].socket); /* a copy */
	mem_free(TAKE(u->shares));
}

static void on_gathered(struct upgrade *u)
{
	struct err e = { 0 };
	int result = gather(u, &e);

	drop_shares(u);
	if (shutdown_state(u->control->life.shutdown) != SHUTDOWN_RUNNING)
		result = err_set(&e, ERR_CLOSED, "the gateway is shutting down");
	if (result < 0)
		fail(u, &e);
	else
		start(u);
}

static void on_shared(struct worker_share *share)
{
	struct upgrade *u = share->worker->shared.control->life.upgrade;

	if (--u->sharing == 0)
		on_gathered(u);
}

static void ask_workers(struct upgrade *u)
{
	struct control *c = u->control;

	u->sharing = c->worker_count;
	u->shares = mem_alloc_array(c->worker_count, sizeof(*u->shares));
	for (size_t i = 0; i < c->worker_count; i++) {
		u->shares[i].answer_to = c->mailbox;
		u->shares[i].on_done = on_shared;
		worker_share(c->workers[i], &u->shares[i]);
	}
}

/* Sockets that a reload is about to replace are none to pass on. */
static void on_begin(struct timer *timer)
{
	struct upgrade *u = container_of(timer, struct upgrade, timer);

	if (reload_hold(u->control->reload))
		ask_workers(u);
	else
		timer_start(&u->timer, u->control->loop, loop_now_ms(u->control->loop) + RETRY_MS,
			    on_begin);
}

/* ---- what is asked of it ---- */

static void begin(struct upgrade *u, const char *why)
{
	struct control *c = u->control;
	struct log_line line;

	if (u->state == UPGRADE_GATHERING || u->state == UPGRADE_STARTING)
		return;
	if (shutdown_state(c->life.shutdown) != SHUTDOWN_RUNNING) {
		struct err e;

		(void)err_set(&e, ERR_CLOSED, "%s",
			      u->state == UPGRADE_DONE ? "another process has taken over already"
						       : "the gateway is shutting down");
		log_error(c->log, LOG_WARN, "upgrade", "no upgrade", &e);
		tell_waiting(u, 0, &e);
		return;
	}
	log_begin(c->log, &line, LOG_INFO, "upgrade");
	log_cstr(&line, "why", why);
	log_cstr(&line, "program", u->argv[0]);
	log_end(&line, "starting a new process");
	u->state = UPGRADE_GATHERING;
	timer_start(&u->timer, c->loop, loop_now_ms(c->loop), on_begin);
}

void upgrade_request(struct upgrade *u, const char *why)
{
	begin(u, why);
}

void upgrade_ask(struct upgrade *u, const char *why, struct upgrade_wait *wait)
{
	list_append(&u->waiting, &wait->node);
	begin(u, why);
}

void upgrade_cancel_wait(struct upgrade_wait *wait)
{
	list_remove(&wait->node);
}

void upgrade_give_up(struct upgrade *u)
{
	struct err problem;

	if (u->state != UPGRADE_STARTING)
		return;
	(void)err_set(&problem, ERR_CLOSED, "the gateway is shutting down");
	give_up(u, &problem);
}

/* ---- birth and death ---- */

struct upgrade *upgrade_new(struct control *control, const char *const *argv)
{
	struct upgrade *u = mem_alloc(sizeof(*u));

	u->control = control;
	u->argv = argv;
	u->hear_fd = -1;
	list_init(&u->waiting);
	return u;
}

void upgrade_free(struct upgrade *u)
{
	if (!u)
		return;
	LIST_FOREACH (&u->waiting, node)
		list_remove(node);
	if (u->state == UPGRADE_STARTING)
		child_kill(u->child);
	child_close(TAKE(u->child));
	stop_hearing(u);
	timer_cancel(&u->timer);
	given_sockets_done(&u->sockets);
	buf_done(&u->words);
	mem_free(u->shares);
	mem_free(u);
}
