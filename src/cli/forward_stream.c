/*
 * forward_stream.c - the body is decoded only to know where it ends; given on are the bytes that the decoder took
 */

#include "cli/forward_stream.h"

#include <string.h>

#include "base/mem.h"
#include "cli/forward_request.h"
#include "io/loop.h"

struct forward_stream {
	struct stream base;
	struct loop *loop;
	struct stream *lower;
	struct buf head; /* what is left of it */
	struct h1_body body;
	bool has_ended;
};

static struct forward_stream *from_stream(struct stream *s)
{
	return container_of(s, struct forward_stream, base);
}

/* The lower stream's reason becomes ours. */
static ssize_t pass_on(struct forward_stream *f, ssize_t result)
{
	if (result == STREAM_FAILED)
		return stream_fail(&f->base, stream_error(f->lower));
	return result;
}

static ssize_t read_head(struct forward_stream *f, void *to, size_t len)
{
	size_t count = f->head.len < len ? f->head.len : len;

	memcpy(to, f->head.data, count);
	buf_consume(&f->head, count);
	if (f->head.len == 0)
		buf_done_secret(&f->head);
	return (ssize_t)count;
}

static ssize_t read_body(struct forward_stream *f, void *to, size_t len)
{
	struct buf content = BUF_INIT(len);
	ssize_t count = stream_read(f->lower, to, len);
	size_t taken;
	struct err e;
	int result;

	if (count == STREAM_END) {
		(void)err_set(&e, ERR_CLOSED, "the program broke its request off");
		return stream_fail(&f->base, &e);
	}
	if (count < 0)
		return pass_on(f, count);
	result = h1_body_decode(&f->body, str_of(to, (size_t)count), &taken, &content, &e);
	buf_done_secret(&content);
	if (result < 0)
		return stream_fail(&f->base, &e);
	f->has_ended = taken < (size_t)count; /* the body takes at least one byte */
	return (ssize_t)taken;
}

static ssize_t read_end(struct forward_stream *f)
{
	char byte;
	ssize_t count = stream_read(f->lower, &byte, sizeof(byte));

	if (count < 0)
		return pass_on(f, count);
	f->has_ended = true;
	return STREAM_END;
}

static ssize_t forward_read(struct stream *s, void *to, size_t len)
{
	struct forward_stream *f = from_stream(s);

	if (s->err)
		return STREAM_FAILED;
	if (f->head.len > 0)
		return read_head(f, to, len);
	if (f->has_ended)
		return STREAM_END;
	return f->body.is_complete ? read_end(f) : read_body(f, to, len);
}

static ssize_t forward_write(struct stream *s, const struct iovec *iov, int count)
{
	struct forward_stream *f = from_stream(s);

	return pass_on(f, stream_writev(f->lower, iov, count));
}

static int forward_shutdown(struct stream *s)
{
	struct forward_stream *f = from_stream(s);

	return (int)pass_on(f, stream_shutdown(f->lower));
}

static void forward_close(struct stream *s, enum stream_close how)
{
	struct forward_stream *f = from_stream(s);

	stream_close(TAKE(f->lower), how);
	buf_done_secret(&f->head);
	mem_free(TAKE(f->base.err));
	loop_free_later(f->loop, f);
}

static void on_lower_event(void *arg, unsigned events)
{
	struct forward_stream *f = arg;

	f->base.on_event(f->base.arg, events);
}

struct stream *forward_stream_open(struct loop *loop, struct stream *lower,
				   struct forward_request *request)
{
	static const struct stream_ops ops = { .read = forward_read,
					       .write = forward_write,
					       .shutdown = forward_shutdown,
					       .close = forward_close };
	struct forward_stream *f = mem_alloc(sizeof(*f));

	*f = (struct forward_stream){
		.base = { .ops = &ops }, .loop = loop, .lower = lower, .body = request->body
	};
	buf_move(&f->head, &request->head);
	stream_set_owner(lower, on_lower_event, f);
	return &f->base;
}
