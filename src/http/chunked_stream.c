/*
 * Sending: a write is one chunk. What the lower stream does not take of it at once is kept, and while there is something kept
 * nothing more is accepted; so there is never more than one chunk here. Receiving: what was read below is freed from its framing
 * into a buffer, which is there only while its bytes have not been fetched.
 *
 * Events of the lower stream are passed on: they come only after it has said AGAIN, and that is where we say so too.
 */

#include "http/chunked_stream.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "io/loop.h"

#define READ_PIECE    (16u * 1024)
#define SIZE_LINE_MAX 16
#define LAST_CHUNK    "0\r\n\r\n"
#define UNSENT_MAX    (CHUNKED_WRITE_MAX + 2 * SIZE_LINE_MAX)

struct chunked_stream {
	struct stream stream;
	struct stream *lower;
	struct loop *loop;
	bool writes_chunks;
	bool is_shut;      /* the last chunk was written, or is in unsent */
	struct buf unsent; /* empty once all has left */
	size_t unsent_at; /* what of it has left: moved up it would be as often as a slow peer wants */
	struct h1_body body; /* the client's: what is read */
	struct buf received; /* still framed */
	struct buf content;  /* not fetched yet */
	bool has_ended;
	struct later later; /* unsent was there before anybody wrote */
};

static struct chunked_stream *from_stream(struct stream *s)
{
	return container_of(s, struct chunked_stream, stream);
}

static int fail_below(struct chunked_stream *c)
{
	return stream_fail(&c->stream, stream_error(c->lower));
}

/* ---- writing ---- */

/* STREAM_END when nothing is left. */
static int flush(struct chunked_stream *c)
{
	while (c->unsent_at < c->unsent.len) {
		ssize_t count = stream_write(c->lower, c->unsent.data + c->unsent_at,
					     c->unsent.len - c->unsent_at);

		if (count == STREAM_AGAIN)
			return STREAM_AGAIN;
		if (count < 0)
			return fail_below(c);
		c->unsent_at += (size_t)count;
	}
	buf_done(&c->unsent);
	c->unsent_at = 0;
	return STREAM_END;
}

static void on_later(struct later *later)
{
	struct chunked_stream *c = container_of(later, struct chunked_stream, later);

	if (flush(c) == STREAM_FAILED && c->stream.on_event)
		c->stream.on_event(c->stream.arg, STREAM_READABLE | STREAM_WRITABLE);
}

static size_t length_of(const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len < CHUNKED_WRITE_MAX ? len : CHUNKED_WRITE_MAX;
}

static void append_iov(struct buf *out, const struct iovec *iov, size_t len)
{
	for (; len > 0; iov++) {
		size_t part = iov->iov_len < len ? iov->iov_len : len;

		(void)buf_append(out, iov->iov_base, part); /* fits */
		len -= part;
	}
}

static ssize_t write_chunk(struct chunked_stream *c, const struct iovec *iov, int count)
{
	size_t len = length_of(iov, count);

	c->unsent = BUF_INIT(UNSENT_MAX);
	(void)buf_printf(&c->unsent, "%zx\r\n", len); /* fits */
	append_iov(&c->unsent, iov, len);
	(void)buf_append_str(&c->unsent, STR("\r\n"));
	return flush(c) == STREAM_FAILED ? STREAM_FAILED : (ssize_t)len;
}

static ssize_t chunked_write(struct stream *s, const struct iovec *iov, int count)
{
	struct chunked_stream *c = from_stream(s);
	ssize_t result;

	if (s->err)
		return STREAM_FAILED;
	assert(!c->is_shut);
	result = flush(c);
	if (result != STREAM_END)
		return result;
	if (c->writes_chunks)
		return length_of(iov, count) > 0 ? write_chunk(c, iov, count) : 0;
	result = stream_writev(c->lower, iov, count);
	return result == STREAM_FAILED ? fail_below(c) : result;
}

static int chunked_shutdown(struct stream *s)
{
	struct chunked_stream *c = from_stream(s);
	int result;

	if (s->err)
		return STREAM_FAILED;
	if (c->writes_chunks && !c->is_shut) {
		c->unsent.max = c->unsent.len + sizeof(LAST_CHUNK);
		(void)buf_append_str(&c->unsent, STR(LAST_CHUNK)); /* fits */
	}
	c->is_shut = true;
	result = flush(c);
	if (result != STREAM_END)
		return result;
	result = stream_shutdown(c->lower);
	return result == STREAM_FAILED ? fail_below(c) : result;
}

/* ---- reading ---- */

static int decode(struct chunked_stream *c)
{
	struct err e = { 0 };
	size_t consumed = 0;

	c->content.max = SIZE_MAX; /* no more than was received */
	if (h1_body_decode(&c->body, buf_view(&c->received), &consumed, &c->content, &e) < 0)
		return stream_fail(&c->stream, &e);
	buf_done(&c->received); /* what follows the last chunk is nobody's */
	c->has_ended = c->body.is_complete;
	return 0;
}

static int end_below(struct chunked_stream *c)
{
	struct err e = { 0 };

	c->has_ended = c->body.kind == H1_BODY_UNTIL_END;
	if (c->has_ended)
		return STREAM_END;
	(void)err_set(&e, ERR_CLOSED, "the answer ends in the middle");
	return stream_fail(&c->stream, &e);
}

/* Until there is content. */
static int fill(struct chunked_stream *c)
{
	while (c->content.len == 0) {
		ssize_t count = (ssize_t)c->received.len;

		if (c->has_ended)
			return STREAM_END;
		if (count == 0) {
			c->received = BUF_INIT(READ_PIECE);
			count = stream_read(c->lower, buf_reserve(&c->received, READ_PIECE),
					    READ_PIECE);
			buf_commit(&c->received, count > 0 ? (size_t)count : 0);
		}
		if (count <= 0)
			buf_done(&c->received);
		if (count == STREAM_END)
			return end_below(c);
		if (count < 0)
			return count == STREAM_AGAIN ? STREAM_AGAIN : fail_below(c);
		if (decode(c) < 0)
			return STREAM_FAILED;
	}
	return 0;
}

static ssize_t read_body(struct chunked_stream *c, void *to, size_t len)
{
	size_t count;

	if (c->content.len == 0) {
		int result = fill(c);

		if (c->content.len == 0)
			return result;
	}
	count = c->content.len < len ? c->content.len : len;
	memcpy(to, c->content.data, count);
	buf_consume(&c->content, count);
	if (c->content.len == 0)
		buf_done(&c->content);
	return (ssize_t)count;
}

static ssize_t chunked_read(struct stream *s, void *to, size_t len)
{
	struct chunked_stream *c = from_stream(s);
	ssize_t count;

	if (s->err)
		return STREAM_FAILED;
	if (!c->writes_chunks)
		return read_body(c, to, len);
	count = stream_read(c->lower, to, len);
	return count == STREAM_FAILED ? fail_below(c) : count;
}

/* ---- the rest ---- */

static void on_lower_event(void *arg, unsigned events)
{
	struct chunked_stream *c = arg;

	if ((events & STREAM_WRITABLE) && !c->stream.err)
		(void)flush(c); /* a failure is told by the next call */
	if (c->stream.on_event)
		c->stream.on_event(c->stream.arg, events);
}

static void chunked_close(struct stream *s, enum stream_close how)
{
	struct chunked_stream *c = from_stream(s);

	if (!c->lower)
		return;
	s->on_event = NULL;
	later_cancel(&c->later);
	stream_close(TAKE(c->lower), how);
	buf_done(&c->unsent);
	buf_done(&c->received);
	buf_done(&c->content);
	loop_free_later(c->loop, TAKE(s->err));
	loop_free_later(c->loop, c);
}

static const struct stream_ops chunked_ops = {
	.read = chunked_read,
	.write = chunked_write,
	.shutdown = chunked_shutdown,
	.close = chunked_close,
};

static struct chunked_stream *new_stream(struct loop *loop, struct stream *lower)
{
	struct chunked_stream *c = mem_alloc(sizeof(*c));

	c->stream.ops = &chunked_ops;
	c->loop = loop;
	c->lower = lower;
	stream_set_owner(lower, on_lower_event, c);
	return c;
}

struct stream *chunked_stream_server(struct loop *loop, struct stream *lower, struct buf *head)
{
	struct chunked_stream *c = new_stream(loop, lower);

	c->writes_chunks = true;
	buf_move(&c->unsent, head);
	later_start(&c->later, loop, on_later);
	return &c->stream;
}

struct stream *chunked_stream_client(struct loop *loop, struct stream *lower,
				     const struct h1_body *body, struct buf *early)
{
	struct chunked_stream *c = new_stream(loop, lower);

	c->body = *body;
	buf_move(&c->received, early);
	if (c->received.len == 0)
		buf_done(&c->received); /* memory without contents is not kept */
	return &c->stream;
}
