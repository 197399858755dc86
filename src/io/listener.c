/*
 * Edge-triggered accepting: connections are taken until there are none, at most LISTENER_ACCEPT_BATCH per turn; the rest
 * is taken by a later-call, so that established connections get their turn in between.
 *
 * A failure that leaves connections waiting makes no new edge. Those are tried again by a timer.
 */

#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/listener_bind.h"
#include "io/loop.h"
#include "io/stream_tcp.h"

#define RETRY_MS 100

struct listener {
	struct loop *loop;
	struct watch watch;
	int fd;
	int reserve_fd; /* given up to get rid of a connection when there are no descriptors left */
	struct later more;
	struct timer retry;
	struct timer report;
	struct timer retire;
	void (*on_retired)(void *arg);
	const struct listener_events *events;
	void *arg;
	struct err problem; /* the latest, not reported yet; ERR_NONE: none */
	unsigned shed_count;
};

enum accept_result { ACCEPT_NEXT, ACCEPT_EMPTY, ACCEPT_STUCK };

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void report_problem(struct listener *l)
{
	struct err e = l->problem;
	unsigned shed_count = l->shed_count;

	l->problem.kind = ERR_NONE;
	l->shed_count = 0;
	if (l->events->on_problem)
		l->events->on_problem(l->arg, &e, shed_count);
}

static void on_report_due(struct timer *timer)
{
	struct listener *l = container_of(timer, struct listener, report);

	if (l->problem.kind == ERR_NONE)
		return;
	timer_start(&l->report, l->loop, loop_now_ms(l->loop) + LISTENER_PROBLEM_INTERVAL_MS,
		    on_report_due);
	report_problem(l);
}

/* The first problem is reported by the timer at once, the others when the interval is over. */
static void note_problem(struct listener *l, const struct err *e)
{
	l->problem = *e;
	if (!timer_is_started(&l->report))
		timer_start(&l->report, l->loop, loop_now_ms(l->loop), on_report_due);
}

/* The kernel says EMFILE before it looks whether a connection is waiting at all. */
static enum accept_result shed_one(struct listener *l, const struct err *e)
{
	int fd = -1;
	int errnum = 0;

	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	errnum = errno;
	if (fd >= 0)
		close(fd);
	l->reserve_fd = open_reserve();

	if (fd < 0 && errnum == EAGAIN)
		return ACCEPT_EMPTY;
	l->shed_count += fd >= 0;
	note_problem(l, e);
	return fd >= 0 ? ACCEPT_NEXT : ACCEPT_STUCK;
}

static enum accept_result accept_failed(struct listener *l, int errnum)
{
	struct err e = { 0 };

	switch (errnum) {
	case EAGAIN:
		return ACCEPT_EMPTY;
	case EMFILE:
	case ENFILE:
		err_errno(&e, errnum, "accepting a connection");
		return shed_one(l, &e);
	case ENOMEM:
	case ENOBUFS:
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		err_errno(&e, errnum, "accepting a connection");
		note_problem(l, &e);
		return ACCEPT_STUCK;
	default:
		/* ECONNABORTED and the network errors of accept(2) concern one connection: there are others. */
		return ACCEPT_NEXT;
	}
}

static enum accept_result accept_one(struct listener *l)
{
	struct addr peer = { 0 };
	socklen_t len = sizeof(peer);
	struct stream *stream = NULL;
	struct err e = { 0 };
	int fd = accept4(l->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return accept_failed(l, errno);
	if (l->events->on_socket) {
		l->events->on_socket(l->arg, fd, &peer);
		return ACCEPT_NEXT;
	}
	stream = stream_tcp_open(l->loop, fd, &e);
	if (!stream) {
		l->shed_count++;
		note_problem(l, &e);
		return ACCEPT_NEXT;
	}
	l->events->on_accept(l->arg, stream, &peer);
	return ACCEPT_NEXT;
}

static void accept_batch(struct listener *l);

static void on_more(struct later *later)
{
	accept_batch(container_of(later, struct listener, more));
}

static void on_retry(struct timer *timer)
{
	accept_batch(container_of(timer, struct listener, retry));
}

static void accept_batch(struct listener *l)
{
	enum accept_result result = ACCEPT_NEXT;

	for (int i = 0; i < LISTENER_ACCEPT_BATCH && result == ACCEPT_NEXT; i++) {
		result = accept_one(l);
		if (l->fd < 0)
			return;
	}
	switch (result) {
	case ACCEPT_NEXT:
		later_start(&l->more, l->loop, on_more);
		break;
	case ACCEPT_EMPTY:
		watch_want(&l->watch, WATCH_READ);
		break;
	case ACCEPT_STUCK:
		timer_start(&l->retry, l->loop, loop_now_ms(l->loop) + RETRY_MS, on_retry);
		break;
	}
}

static void on_ready(struct watch *watch, unsigned events)
{
	accept_batch(container_of(watch, struct listener, watch));
}

/* ---- birth and end ---- */

struct listener *listener_adopt(struct loop *loop, int fd, const struct listener_events *events,
				void *arg, struct err *e)
{
	struct listener *l = mem_alloc(sizeof(*l));

	l->loop = loop;
	l->fd = fd;
	l->events = events;
	l->arg = arg;
	l->reserve_fd = open_reserve();
	if (watch_open(&l->watch, loop, fd, on_ready, e) < 0) {
		listener_close(l);
		return NULL;
	}
	watch_want(&l->watch, WATCH_READ);
	return l;
}

struct listener *listener_open(struct loop *loop, const struct addr *address, bool shares_port,
			       const struct listener_events *events, void *arg, struct err *e)
{
	int fd = listener_bind(address, shares_port, e);

	return fd < 0 ? NULL : listener_adopt(loop, fd, events, arg, e);
}

int listener_fd(const struct listener *l)
{
	return l->fd;
}

void listener_address(const struct listener *l, struct addr *ret)
{
	listener_bound_address(l->fd, ret);
}

static void on_retire_due(struct timer *timer)
{
	struct listener *l = container_of(timer, struct listener, retire);
	void (*on_retired)(void *arg) = l->on_retired;
	void *arg = l->arg;

	/* Whoever is complete by now has been waiting for the accept: the rest of the queue, not only a batch. */
	for (int i = 0; i < LISTENER_BACKLOG && l->fd >= 0; i++)
		if (accept_one(l) != ACCEPT_NEXT)
			break;
	listener_close(l);
	on_retired(arg);
}

void listener_retire(struct listener *l, void (*on_retired)(void *arg))
{
	uint64_t wait_ms = listener_refuse_new(l->fd) ? LISTENER_RETIRE_MS : 0;

	l->on_retired = on_retired;
	timer_start(&l->retire, l->loop, loop_now_ms(l->loop) + wait_ms, on_retire_due);
}

void listener_finish(struct listener *l, void (*on_retired)(void *arg))
{
	l->on_retired = on_retired;
	timer_start(&l->retire, l->loop, loop_now_ms(l->loop), on_retire_due);
}

void listener_close(struct listener *l)
{
	if (!l || l->fd < 0)
		return;
	watch_close(&l->watch);
	later_cancel(&l->more);
	timer_cancel(&l->retry);
	timer_cancel(&l->report);
	timer_cancel(&l->retire);
	close(l->fd);
	l->fd = -1;
	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	loop_free_later(l->loop, l);
}
