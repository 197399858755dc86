/*
 * Two descriptors, each watched if the system can watch it. What cannot be watched (regular files, /dev/null) never
 * blocks either, so it is simply read and written.
 *
 * shutdown puts /dev/null in the place of a pipe's or terminal's descriptor instead of closing it: the reader sees the end
 * all the same, and no file opened later gets the number of the standard output by accident.
 */

#include "io/stream_stdio.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop.h"

struct stdio_end {
	int fd;
	int flags; /* as they were; -1: not to be restored */
	bool is_watched;
	struct watch watch;
};

struct stream_stdio {
	struct stream stream;
	struct loop *loop;
	struct stdio_end in;
	struct stdio_end out;
	bool is_same_fd; /* one descriptor for both: watched through in */
	bool has_ended;
	bool is_shut;
	bool is_closed;
};

static struct stream_stdio *from_stream(struct stream *s)
{
	return container_of(s, struct stream_stdio, stream);
}

static int fail_with(struct stream_stdio *t, int errnum, const char *doing)
{
	struct err e = { 0 };

	err_errno(&e, errnum, "%s", doing);
	return stream_fail(&t->stream, &e);
}

static ssize_t wait_for(struct stream_stdio *t, struct stdio_end *end, unsigned events)
{
	if (!end->is_watched)
		return fail_with(t, EAGAIN, "waiting for a descriptor that cannot be watched");
	watch_want(&end->watch, events);
	return STREAM_AGAIN;
}

static ssize_t stdio_read(struct stream *s, void *to, size_t len)
{
	struct stream_stdio *t = from_stream(s);
	ssize_t count = 0;

	assert(len > 0 && !t->is_closed);
	if (t->has_ended)
		return STREAM_END;
	if (s->err)
		return STREAM_FAILED;

	do {
		count = read(t->in.fd, to, len);
	} while (count < 0 && errno == EINTR);

	if (count > 0)
		return count;
	if (count < 0 && errno == EAGAIN)
		return wait_for(t, &t->in, WATCH_READ);
	/* EIO: the terminal is gone. */
	if (count < 0 && errno != EIO)
		return fail_with(t, errno, "reading the standard input");
	t->has_ended = true;
	return STREAM_END;
}

static ssize_t stdio_write(struct stream *s, const struct iovec *iov, int count)
{
	struct stream_stdio *t = from_stream(s);
	ssize_t written = 0;

	assert(!t->is_closed);
	if (s->err)
		return STREAM_FAILED;
	assert(!t->is_shut);

	do {
		written = writev(t->out.fd, iov, count);
	} while (written < 0 && errno == EINTR);

	if (written > 0)
		return written;
	if (written < 0 && errno != EAGAIN)
		return fail_with(t, errno, "writing the standard output");
	return wait_for(t, t->is_same_fd ? &t->in : &t->out, WATCH_WRITE);
}

static void restore_flags(struct stdio_end *end)
{
	if (end->flags >= 0)
		(void)fcntl(end->fd, F_SETFL, end->flags);
	end->flags = -1;
}

static int end_output(struct stream_stdio *t)
{
	struct stat info = { 0 };
	int null_fd = -1;
	int result = 0;

	if (fstat(t->out.fd, &info) == 0 && S_ISSOCK(info.st_mode))
		return shutdown(t->out.fd, SHUT_WR);
	/* A terminal or device that is also the input cannot be ended by half. */
	if (t->is_same_fd)
		return 0;
	watch_close(&t->out.watch);
	restore_flags(&t->out);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd < 0)
		return -1;
	result = dup2(null_fd, t->out.fd);
	close(null_fd);
	return result < 0 ? -1 : 0;
}

static int stdio_shutdown(struct stream *s)
{
	struct stream_stdio *t = from_stream(s);

	assert(!t->is_closed);
	if (t->is_shut)
		return STREAM_END;
	if (s->err)
		return STREAM_FAILED;
	if (end_output(t) < 0) {
		if (errno == ENOTCONN)
			errno = ECONNRESET;
		return fail_with(t, errno, "ending the standard output");
	}
	t->is_shut = true;
	return STREAM_END;
}

static void stdio_close(struct stream *s, enum stream_close how)
{
	struct stream_stdio *t = from_stream(s);

	if (t->is_closed)
		return;
	t->is_closed = true;
	watch_close(&t->in.watch);
	watch_close(&t->out.watch);
	restore_flags(&t->in);
	restore_flags(&t->out);
	s->on_event = NULL;
	loop_free_later(t->loop, TAKE(s->err));
	loop_free_later(t->loop, t);
}

static const struct stream_ops stdio_ops = {
	.read = stdio_read,
	.write = stdio_write,
	.shutdown = stdio_shutdown,
	.close = stdio_close,
};

static void tell_owner(struct stream_stdio *t, unsigned events)
{
	if (t->stream.on_event)
		t->stream.on_event(t->stream.arg, events);
}

static void on_in_ready(struct watch *watch, unsigned events)
{
	tell_owner(container_of(watch, struct stream_stdio, in.watch), events);
}

static void on_out_ready(struct watch *watch, unsigned events)
{
	tell_owner(container_of(watch, struct stream_stdio, out.watch), events);
}

static int begin_end(struct stdio_end *end, struct loop *loop,
		     void (*on_ready)(struct watch *watch, unsigned events), struct err *e)
{
	struct err problem = { 0 };

	if (watch_open(&end->watch, loop, end->fd, on_ready, &problem) == 0) {
		end->is_watched = true;
	} else if (errno != EPERM) {
		return err_set(e, problem.kind, "%s", problem.text);
	}
	if (end->is_watched && end->flags >= 0)
		(void)fcntl(end->fd, F_SETFL, end->flags | O_NONBLOCK);
	return 0;
}

struct stream *stream_stdio_open(struct loop *loop, int in_fd, int out_fd, struct err *e)
{
	struct stream_stdio *t = mem_alloc(sizeof(*t));

	t->stream.ops = &stdio_ops;
	t->loop = loop;
	t->is_same_fd = in_fd == out_fd;
	/* Both are asked before either is changed: they may be copies of one descriptor. */
	t->in = (struct stdio_end){ .fd = in_fd, .flags = fcntl(in_fd, F_GETFL) };
	t->out = (struct stdio_end){ .fd = out_fd, .flags = fcntl(out_fd, F_GETFL) };
	/* A pipe without a reader is an error of this stream, not the end of the process. */
	(void)signal(SIGPIPE, SIG_IGN);

	if (begin_end(&t->in, loop, on_in_ready, e) < 0 ||
	    (!t->is_same_fd && begin_end(&t->out, loop, on_out_ready, e) < 0)) {
		stream_close(&t->stream, STREAM_CLOSE_NORMAL);
		return NULL;
	}
	return &t->stream;
}
