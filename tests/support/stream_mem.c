/*
 * Each end holds the bytes on their way to it. Events are delivered by a later-call, as the contract wants: never
 * from inside a call. The pair is released when both ends are closed.
 */

#include "tests/support/stream_mem.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/loop.h"

#define DEFAULT_CAPACITY 65536

struct mem_pair;

struct mem_end {
	struct stream stream;
	struct mem_pair *pair;
	struct mem_end *peer;
	struct later later;
	struct buf incoming;
	unsigned wanted;
	unsigned due; /* events the later-call will deliver */
	unsigned shutdown_waits;
	bool is_shut; /* this end writes no more */
	bool is_closed;
	bool was_reset; /* this end was closed with a reset */
	bool has_ended;
};

struct mem_pair {
	struct loop *loop;
	struct stream_mem_options options;
	struct mem_end ends[2];
};

static struct mem_end *from_stream(const struct stream *s)
{
	return (struct mem_end *)((uintptr_t)s - offsetof(struct mem_end, stream));
}

static void on_later(struct later *later)
{
	struct mem_end *end = container_of(later, struct mem_end, later);
	unsigned events = end->due;

	end->due = 0;
	if (end->stream.on_event)
		end->stream.on_event(end->stream.arg, events);
}

/* Something happened that the end may be waiting for. */
static void tell(struct mem_end *end, unsigned events)
{
	events &= end->wanted;
	if (!events || end->is_closed)
		return;
	end->wanted &= ~events;
	end->due |= events;
	later_start(&end->later, end->pair->loop, on_later);
}

static int wait_for(struct mem_end *end, unsigned events)
{
	end->wanted |= events;
	return STREAM_AGAIN;
}

static int fail_reset(struct mem_end *end)
{
	struct err e = { 0 };

	err_set(&e, ERR_RESET, "connection reset by the other end");
	return stream_fail(&end->stream, &e);
}

static size_t limited(size_t len, size_t max)
{
	return max != 0 && len > max ? max : len;
}

static ssize_t mem_read(struct stream *s, void *to, size_t len)
{
	struct mem_end *end = from_stream(s);

	assert(len > 0 && !end->is_closed);
	if (end->has_ended)
		return STREAM_END;
	if (s->err)
		return STREAM_FAILED;
	if (end->peer->was_reset)
		return fail_reset(end);
	if (end->incoming.len == 0) {
		end->has_ended = end->peer->is_shut || end->peer->is_closed;
		return end->has_ended ? STREAM_END : wait_for(end, STREAM_READABLE);
	}
	len = limited(limited(len, end->pair->options.read_max), end->incoming.len);
	memcpy(to, end->incoming.data, len);
	buf_consume(&end->incoming, len);
	tell(end->peer, STREAM_WRITABLE);
	return (ssize_t)len;
}

static ssize_t mem_write(struct stream *s, const struct iovec *iov, int count)
{
	struct mem_end *end = from_stream(s);
	struct buf *to = &end->peer->incoming;
	size_t room = 0;
	size_t done = 0;

	assert(!end->is_closed);
	if (s->err)
		return STREAM_FAILED;
	assert(!end->is_shut);
	if (end->peer->is_closed)
		return fail_reset(end);

	room = limited(to->max - to->len, end->pair->options.write_max);
	for (int i = 0; i < count && done < room; i++) {
		size_t part = limited(iov[i].iov_len, room - done);

		(void)buf_append(to, iov[i].iov_base, part);
		done += part;
	}
	if (done == 0)
		return wait_for(end, STREAM_WRITABLE);
	tell(end->peer, STREAM_READABLE);
	return (ssize_t)done;
}

static int mem_shutdown(struct stream *s)
{
	struct mem_end *end = from_stream(s);

	assert(!end->is_closed);
	if (end->is_shut)
		return STREAM_END;
	if (s->err)
		return STREAM_FAILED;
	if (end->peer->was_reset)
		return fail_reset(end);
	if (end->shutdown_waits > 0) {
		end->shutdown_waits--;
		wait_for(end, STREAM_WRITABLE);
		tell(end, STREAM_WRITABLE);
		return STREAM_AGAIN;
	}
	end->is_shut = true;
	tell(end->peer, STREAM_READABLE);
	return STREAM_END;
}

static void mem_close(struct stream *s, enum stream_close how)
{
	struct mem_end *end = from_stream(s);
	struct loop *loop = end->pair->loop;

	if (end->is_closed)
		return;
	end->is_closed = true;
	end->was_reset = how == STREAM_CLOSE_RESET;
	s->on_event = NULL;
	later_cancel(&end->later);
	buf_done(&end->incoming);
	loop_free_later(loop, TAKE(s->err));
	tell(end->peer, STREAM_READABLE | STREAM_WRITABLE);
	if (end->peer->is_closed)
		loop_free_later(loop, end->pair);
}

static const struct stream_ops mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.shutdown = mem_shutdown,
	.close = mem_close,
};

void stream_mem_pair(struct loop *loop, const struct stream_mem_options *options,
		     struct stream **ret_a, struct stream **ret_b)
{
	struct mem_pair *pair = mem_alloc(sizeof(*pair));

	pair->loop = loop;
	if (options)
		pair->options = *options;
	if (pair->options.capacity == 0)
		pair->options.capacity = DEFAULT_CAPACITY;
	for (int i = 0; i < 2; i++) {
		struct mem_end *end = &pair->ends[i];

		end->stream.ops = &mem_ops;
		end->pair = pair;
		end->peer = &pair->ends[!i];
		end->shutdown_waits = pair->options.shutdown_waits;
		buf_init(&end->incoming, pair->options.capacity);
	}
	*ret_a = &pair->ends[0].stream;
	*ret_b = &pair->ends[1].stream;
}

void stream_mem_fail(struct stream *s, enum err_kind kind, const char *text)
{
	struct mem_end *end = from_stream(s);
	struct err e = { 0 };

	err_set(&e, kind, "%s", text);
	(void)stream_fail(s, &e);
	tell(end, STREAM_READABLE | STREAM_WRITABLE);
}

size_t stream_mem_pending(const struct stream *s)
{
	return from_stream(s)->incoming.len;
}

bool stream_mem_peer_was_reset(const struct stream *s)
{
	return from_stream(s)->peer->was_reset;
}
