/*
 * Reads and writes go straight to the socket. One system call per wake-up is saved: a receive that fills only a part
 * of the buffer has emptied the socket, so the next read can answer AGAIN by itself. That knowledge lives in
 * watch.ready: the poller sets WATCH_READ on every read event, wanted or not, and only this file clears
 * it, right after the system call that proved the socket empty. Bytes that arrive after that call make a new edge,
 * which is still in the kernel and will be dispatched; so no wake-up can be lost.
 */

#include "io/stream_tcp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop.h"

struct stream_tcp {
	struct stream stream;
	struct watch watch;
	bool has_ended;
	bool is_shut;
};

static_assert((int)STREAM_READABLE == (int)WATCH_READ, "events are passed on as they are");
static_assert((int)STREAM_WRITABLE == (int)WATCH_WRITE, "events are passed on as they are");

static struct stream_tcp *from_stream(struct stream *s)
{
	return container_of(s, struct stream_tcp, stream);
}

static int wait_for(struct stream_tcp *t, unsigned events)
{
	watch_want(&t->watch, events);
	return STREAM_AGAIN;
}

static int fail_with(struct stream_tcp *t, int errnum, const char *doing)
{
	struct err e = { 0 };

	err_errno(&e, errnum, "%s", doing);
	if (errnum == EPIPE || errnum == ENOTCONN)
		e.kind = ERR_RESET;
	return stream_fail(&t->stream, &e);
}

static ssize_t tcp_read(struct stream *s, void *to, size_t len)
{
	struct stream_tcp *t = from_stream(s);
	ssize_t count = 0;

	assert(len > 0 && t->watch.fd >= 0);
	if (t->has_ended)
		return STREAM_END;
	if (s->err)
		return STREAM_FAILED;
	if (!(t->watch.ready & WATCH_READ))
		return wait_for(t, WATCH_READ);

	do {
		count = recv(t->watch.fd, to, len, 0);
	} while (count < 0 && errno == EINTR);

	if (count == 0) {
		t->has_ended = true;
		return STREAM_END;
	}
	if (count > 0) {
		if ((size_t)count < len && !t->watch.has_hangup)
			t->watch.ready &= ~(unsigned)WATCH_READ;
		return count;
	}
	if (errno != EAGAIN)
		return fail_with(t, errno, "receiving");
	t->watch.ready &= ~(unsigned)WATCH_READ;
	return wait_for(t, WATCH_READ);
}

/* send() is what the kernel does with least effort for the usual case. */
static ssize_t send_some(int fd, const struct iovec *iov, int count)
{
	const struct msghdr message = {
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)count,
	};

	if (count == 1)
		return send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ssize_t tcp_write(struct stream *s, const struct iovec *iov, int count)
{
	struct stream_tcp *t = from_stream(s);
	ssize_t sent = 0;

	assert(t->watch.fd >= 0);
	if (s->err)
		return STREAM_FAILED;
	assert(!t->is_shut);

	do {
		sent = send_some(t->watch.fd, iov, count);
	} while (sent < 0 && errno == EINTR);

	if (sent > 0)
		return sent;
	if (sent < 0 && errno != EAGAIN)
		return fail_with(t, errno, "sending");
	return wait_for(t, WATCH_WRITE);
}

static int tcp_shutdown(struct stream *s)
{
	struct stream_tcp *t = from_stream(s);

	assert(t->watch.fd >= 0);
	if (t->is_shut)
		return STREAM_END;
	if (s->err)
		return STREAM_FAILED;
	/* Whoever is gone altogether may have left an answer, which is still to be read. */
	if (shutdown(t->watch.fd, SHUT_WR) < 0 && errno != ENOTCONN)
		return fail_with(t, errno, "ending the connection");
	t->is_shut = true;
	return STREAM_END;
}

static void tcp_close(struct stream *s, enum stream_close how)
{
	struct stream_tcp *t = from_stream(s);
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	int fd = t->watch.fd;

	if (fd < 0)
		return;
	watch_close(&t->watch);
	/* Where there is no reset (socketpairs) the option changes nothing. */
	if (how == STREAM_CLOSE_RESET)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	s->on_event = NULL;
	loop_free_later(t->watch.loop, TAKE(s->err));
	loop_free_later(t->watch.loop, t);
}

static const struct stream_ops tcp_ops = {
	.read = tcp_read,
	.write = tcp_write,
	.shutdown = tcp_shutdown,
	.close = tcp_close,
};

/*
 * After its end a stream is not read any more, so a reset that follows would go unnoticed until something is
 * written. The kernel keeps it for whoever asks.
 */
static void notice_reset(struct stream_tcp *t)
{
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	if (t->has_ended && !t->stream.err &&
	    getsockopt(t->watch.fd, SOL_SOCKET, SO_ERROR, &errnum, &len) == 0 && errnum != 0)
		(void)fail_with(t, errnum, "after the end"); /* told by the event */
}

static void on_ready(struct watch *watch, unsigned events)
{
	struct stream_tcp *t = container_of(watch, struct stream_tcp, watch);

	if (watch->has_hangup)
		notice_reset(t);
	if (t->stream.on_event)
		t->stream.on_event(t->stream.arg, events);
}

static void set_options(int fd)
{
	static const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ SOL_SOCKET, SO_OOBINLINE, 1 }, /* urgent bytes are bytes: none is lost */
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
	};

	/* Socketpairs have no TCP options, and a connection works without any of these. */
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				 sizeof(options[i].value));
}

struct stream *stream_tcp_open(struct loop *loop, int fd, struct err *e)
{
	struct stream_tcp *t = mem_alloc(sizeof(*t));

	t->stream.ops = &tcp_ops;
	set_options(fd);
	if (watch_open(&t->watch, loop, fd, on_ready, e) < 0) {
		close(fd);
		mem_free(t);
		return NULL;
	}
	return &t->stream;
}

void stream_tcp_local_address(struct stream *s, struct addr *ret)
{
	struct addr local = { 0 };
	socklen_t len = sizeof(local);

	*ret = (struct addr){ 0 };
	if (s->ops == &tcp_ops && getsockname(from_stream(s)->watch.fd, &local.any, &len) == 0 &&
	    addr_len(&local) > 0)
		*ret = local;
}
