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

/* ---- binding ---- */

static bool is_ip6_any(const struct addr *address)
{
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&address->ip6.sin6_addr);
}

static int set_bind_options(int fd, const struct addr *address, bool shares_port)
{
	int on = 1;
	int only_ip6 = !is_ip6_any(address);

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (shares_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -1;
	if (address->any.sa_family != AF_INET6)
		return 0;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ip6, sizeof(only_ip6));
}

/* A bound and listening descriptor, or -1 and errno. */
static int bind_address(const struct addr *address, bool shares_port)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int errnum = 0;

	if (fd < 0)
		return -1;
	if (set_bind_options(fd, address, shares_port) == 0 &&
	    bind(fd, &address->any, addr_len(address)) == 0 && listen(fd, LISTENER_BACKLOG) == 0)
		return fd;
	errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}

static int bind_or_fall_back(const struct addr *address, bool shares_port, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	int fd = bind_address(address, shares_port);

	if (fd < 0 && is_ip6_any(address) && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
		struct addr ip4_any = { 0 };

		(void)addr_from_ip(STR("0.0.0.0"), addr_port(address), &ip4_any);
		fd = bind_address(&ip4_any, shares_port);
	}
	if (fd < 0) {
		int errnum = errno;

		addr_format(address, text);
		return err_errno(e, errnum, "cannot listen on %s", text);
	}
	return fd;
}

struct listener *listener_open(struct loop *loop, const struct addr *address, bool shares_port,
			       const struct listener_events *events, void *arg, struct err *e)
{
	struct listener *l = NULL;
	int fd = bind_or_fall_back(address, shares_port, e);

	if (fd < 0)
		return NULL;
	l = mem_alloc(sizeof(*l));
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

void listener_address(const struct listener *l, struct addr *ret)
{
	socklen_t len = sizeof(*ret);

	*ret = (struct addr){ 0 };
	/* Cannot fail on a socket that is bound. */
	(void)getsockname(l->fd, &ret->any, &len);
}

void listener_close(struct listener *l)
{
	if (!l || l->fd < 0)
		return;
	watch_close(&l->watch);
	later_cancel(&l->more);
	timer_cancel(&l->retry);
	timer_cancel(&l->report);
	close(l->fd);
	l->fd = -1;
	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	loop_free_later(l->loop, l);
}

int listener_check_free(const struct addr *address, struct err *e)
{
	int fd = -1;

	if (addr_port(address) == 0)
		return 0;
	fd = bind_or_fall_back(address, false, e);
	if (fd < 0) {
		if (e)
			e->kind = ERR_SYSTEM;
		return -1;
	}
	close(fd);
	return 0;
}
