/*
 * connect() to a local socket answers at once, except when the queue is full: then it says EAGAIN and nothing is in
 * progress. So there is no readiness to wait for, only a timer.
 */

#include "io/dial_unix.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/stream_tcp.h"

struct dial_unix {
	struct loop *loop;
	struct timer timer;
	struct sockaddr_un address;
	uint64_t due_ms;
	int fd;
	bool is_over;
	struct err err; /* of kind ERR_NONE until something is wrong */
	void (*on_done)(void *arg, struct stream *stream, const struct err *e);
	void *arg;
};

static void release(struct dial_unix *d)
{
	d->is_over = true;
	timer_cancel(&d->timer);
	if (d->fd >= 0)
		(void)close(d->fd); /* nothing was sent on it */
	d->fd = -1;
	loop_free_later(d->loop, d);
}

static void finish(struct dial_unix *d, struct stream *stream)
{
	release(d);
	d->on_done(d->arg, stream, stream ? NULL : &d->err);
}

static enum err_kind kind_of(int errnum, enum err_kind otherwise)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
	case ENOTSOCK:
	case EACCES:
	case EPROTOTYPE:
		return ERR_UNREACHABLE;
	default:
		return otherwise;
	}
}

static void finish_failed(struct dial_unix *d, int errnum)
{
	(void)err_errno(&d->err, errnum, "connecting to %s", d->address.sun_path);
	d->err.kind = kind_of(errnum, d->err.kind);
	finish(d, NULL);
}

static void on_due(struct timer *timer);

static void try_again_later(struct dial_unix *d)
{
	uint64_t now = loop_now_ms(d->loop);
	uint64_t next = now + DIAL_UNIX_RETRY_MS;

	if (now >= d->due_ms) {
		(void)err_set(&d->err, ERR_TIMEOUT, "connecting to %s: no room in its queue",
			      d->address.sun_path);
		finish(d, NULL);
		return;
	}
	timer_start(&d->timer, d->loop, next < d->due_ms ? next : d->due_ms, on_due);
}

static void on_due(struct timer *timer)
{
	struct dial_unix *d = container_of(timer, struct dial_unix, timer);
	struct stream *stream;

	if (d->err.kind != ERR_NONE) {
		finish(d, NULL);
		return;
	}
	if (d->fd < 0)
		d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		finish_failed(d, errno);
		return;
	}
	if (connect(d->fd, (const struct sockaddr *)&d->address, sizeof(d->address)) < 0) {
		if (errno == EAGAIN)
			try_again_later(d);
		else
			finish_failed(d, errno);
		return;
	}
	stream = stream_tcp_open(d->loop, d->fd, &d->err);
	d->fd = -1;
	finish(d, stream);
}

struct dial_unix *dial_unix_start(struct loop *loop, struct str path, uint64_t timeout_ms,
				  void (*on_done)(void *arg, struct stream *stream,
						  const struct err *e),
				  void *arg)
{
	struct dial_unix *d = mem_alloc(sizeof(*d));

	d->loop = loop;
	d->fd = -1;
	d->due_ms = loop_now_ms(loop) + timeout_ms;
	d->on_done = on_done;
	d->arg = arg;
	d->address.sun_family = AF_UNIX;
	if (str_is_empty(path) || path.len > DIAL_UNIX_PATH_MAX || str_find(path, '\0') < path.len)
		(void)err_set(&d->err, ERR_UNREACHABLE, "this path cannot be that of a socket");
	else
		memcpy(d->address.sun_path, path.at, path.len);
	timer_start(&d->timer, loop, loop_now_ms(loop), on_due);
	return d;
}

void dial_unix_cancel(struct dial_unix *d)
{
	/* From inside on_done there is nothing left to cancel. */
	if (d && !d->is_over)
		release(d);
}
