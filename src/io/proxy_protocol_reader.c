#include <assert.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/proxy_protocol.h"
#include "io/stream.h"

struct proxy_header_reader {
	struct loop *loop;
	struct stream *stream; /* borrowed */
	struct timer timer;
	struct later begin;
	struct buf received;
	void (*on_done)(void *arg, const struct proxy_header *header, const struct err *e);
	void *arg;
};

static void ignore_event(void *arg, unsigned events)
{
}

static void forget(struct proxy_header_reader *r)
{
	timer_cancel(&r->timer);
	later_cancel(&r->begin);
	stream_set_owner(r->stream, ignore_event, NULL);
	r->stream = NULL;
	buf_done(&r->received);
	loop_free_later(r->loop, r);
}

static void finish(struct proxy_header_reader *r, const struct proxy_header *header,
		   const struct err *e)
{
	forget(r);
	r->on_done(r->arg, header, e);
}

static void finish_unread(struct proxy_header_reader *r, ssize_t result)
{
	struct err e = { 0 };
	bool is_probe = r->received.len == 0;

	if (result == STREAM_FAILED)
		e = *stream_error(r->stream);
	if (is_probe && (result == STREAM_END || e.kind == ERR_RESET))
		(void)err_set(&e, ERR_CLOSED, "the client closed the connection");
	else if (result == STREAM_END)
		(void)err_set(&e, ERR_PROTOCOL, "PROXY protocol: the header is cut short");
	finish(r, NULL, &e);
}

/* False when there is nothing more to do now. */
static bool read_more(struct proxy_header_reader *r, size_t need)
{
	uint8_t *to = buf_reserve(&r->received, need);
	ssize_t got;

	assert(to); /* the parser keeps to the maximum */
	got = stream_read(r->stream, to, need);
	if (got > 0) {
		buf_commit(&r->received, (size_t)got);
		return true;
	}
	if (got != STREAM_AGAIN)
		finish_unread(r, got);
	return false;
}

static void drive(struct proxy_header_reader *r)
{
	struct proxy_header header;
	struct err e = { 0 };
	size_t need = 0;

	for (;;) {
		switch (proxy_header_parse(buf_view(&r->received), &header, &need, &e)) {
		case PROXY_HEADER_MORE:
			if (!read_more(r, need))
				return;
			break;
		case PROXY_HEADER_COMPLETE:
			finish(r, &header, NULL);
			return;
		case PROXY_HEADER_BAD:
			finish(r, NULL, &e);
			return;
		}
	}
}

static void on_begin(struct later *later)
{
	drive(container_of(later, struct proxy_header_reader, begin));
}

static void on_event(void *arg, unsigned events)
{
	drive(arg);
}

static void on_due(struct timer *timer)
{
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "PROXY protocol: the header did not come in time");
	finish(container_of(timer, struct proxy_header_reader, timer), NULL, &e);
}

struct proxy_header_reader *proxy_header_read_start(
	struct loop *loop, struct stream *stream, uint64_t due_ms,
	void (*on_done)(void *arg, const struct proxy_header *header, const struct err *e),
	void *arg)
{
	struct proxy_header_reader *r = mem_alloc(sizeof(*r));

	r->loop = loop;
	r->stream = stream;
	r->received = BUF_INIT(PROXY_HEADER_V2_MAX);
	r->on_done = on_done;
	r->arg = arg;
	stream_set_owner(stream, on_event, r);
	if (due_ms > 0)
		timer_start(&r->timer, loop, due_ms, on_due);
	later_start(&r->begin, loop, on_begin);
	return r;
}

void proxy_header_read_cancel(struct proxy_header_reader *r)
{
	if (r)
		forget(r);
}
