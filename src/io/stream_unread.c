#include "io/stream_unread.h"

#include "base/mem.h"
#include "io/loop.h"

struct stream_unread {
	struct stream base;
	struct loop *loop;
	struct stream *lower;
	struct buf bytes;
};

static struct stream_unread *from_stream(struct stream *s)
{
	return container_of(s, struct stream_unread, base);
}

/* The lower stream's reason becomes ours. */
static ssize_t pass_on(struct stream_unread *u, ssize_t result)
{
	if (result == STREAM_FAILED)
		return stream_fail(&u->base, stream_error(u->lower));
	return result;
}

static ssize_t unread_read(struct stream *s, void *to, size_t len)
{
	struct stream_unread *u = from_stream(s);
	size_t count = u->bytes.len < len ? u->bytes.len : len;

	if (count == 0)
		return pass_on(u, stream_read(u->lower, to, len));
	memcpy(to, u->bytes.data, count);
	buf_consume(&u->bytes, count);
	if (u->bytes.len == 0)
		buf_done(&u->bytes);
	return (ssize_t)count;
}

static ssize_t unread_write(struct stream *s, const struct iovec *iov, int count)
{
	struct stream_unread *u = from_stream(s);

	return pass_on(u, stream_writev(u->lower, iov, count));
}

static int unread_shutdown(struct stream *s)
{
	struct stream_unread *u = from_stream(s);

	return (int)pass_on(u, stream_shutdown(u->lower));
}

static void unread_close(struct stream *s, enum stream_close how)
{
	struct stream_unread *u = from_stream(s);

	stream_close(TAKE(u->lower), how);
	buf_done(&u->bytes);
	mem_free(TAKE(u->base.err));
	loop_free_later(u->loop, u);
}

static void on_lower_event(void *arg, unsigned events)
{
	struct stream_unread *u = arg;

	u->base.on_event(u->base.arg, events);
}

struct stream *stream_unread_open(struct loop *loop, struct stream *lower, struct buf *bytes)
{
	static const struct stream_ops ops = { .read = unread_read,
					       .write = unread_write,
					       .shutdown = unread_shutdown,
					       .close = unread_close };
	struct stream_unread *u = mem_alloc(sizeof(*u));

	*u = (struct stream_unread){ .base = { .ops = &ops }, .loop = loop, .lower = lower };
	buf_move(&u->bytes, bytes);
	stream_set_owner(lower, on_lower_event, u);
	return &u->base;
}
