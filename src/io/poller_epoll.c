/*
 * Every descriptor is added once, for everything, edge-triggered. What a watch does not want at the moment of an
 * event is kept in watch.ready, so that an owner which skips system calls it knows to be useless cannot
 * miss that they became useful (see stream_tcp.c).
 *
 * A callback may close any watch of the batch: those have fd -1 and are skipped. Their memory is still there, because owners
 * release it through loop_free_later().
 */

#include "io/poller.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io/loop.h"

#define EVENTS_MAX 256

int poller_open(struct poller *p, int other_fd, struct err *e)
{
	struct epoll_event event = { .events = EPOLLIN };

	p->fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->fd < 0 || epoll_ctl(p->fd, EPOLL_CTL_ADD, other_fd, &event) < 0)
		return err_errno(e, errno, "creating an epoll instance");
	return 0;
}

void poller_close(struct poller *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

int poller_add(struct poller *p, struct watch *watch, struct err *e)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = watch,
	};

	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0) {
		int errnum = errno;

		err_errno(e, errnum, "watching descriptor %d", watch->fd);
		errno = errnum;
		return -1;
	}
	return 0;
}

void poller_remove(struct poller *p, struct watch *watch)
{
	struct epoll_event unused = { 0 };

	/* Fails only if the descriptor was closed already, and then there is nothing to remove. */
	(void)epoll_ctl(p->fd, EPOLL_CTL_DEL, watch->fd, &unused);
}

static void deliver(struct watch *watch, uint32_t bits)
{
	unsigned events = 0;
	unsigned fired = 0;

	if (bits & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		events |= WATCH_READ;
	if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		events |= WATCH_WRITE;
	/* Urgent data as well: recv() stops short at the urgent mark although there is more behind it. */
	if (bits & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		watch->has_hangup = true;

	watch->ready |= events;
	/* A broken connection is news even for who wants nothing: it may only be waiting for the other side. */
	fired = bits & EPOLLERR ? events : events & watch->wanted;
	watch->wanted &= ~fired;
	if (fired)
		watch->on_ready(watch, fired);
}

bool poller_dispatch(struct poller *p, int wait_ms, void (*on_awake)(void *arg), void *arg)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(p->fd, events, EVENTS_MAX, wait_ms);
	bool is_other_ready = false;

	on_awake(arg);
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		if (!watch)
			is_other_ready = true;
		else if (watch->fd >= 0)
			deliver(watch, events[i].events);
	}
	return is_other_ready;
}
