#include "http/connect_client.h"

#include "base/mem.h"
#include "http/h1_io.h"
#include "http/h1_write.h"
#include "io/loop.h"

/*
 * WRITING -> READING -> DONE, run from the loop only. The body of a refusal is not read: nothing
 * in it is needed, and the connection ends anyway. With 200 the received bytes behind the head
 * are the tunnel's first, whatever framing the head claims.
 */

enum connect_state { CONNECT_WRITING, CONNECT_READING, CONNECT_DONE };

enum step { STEP_NEXT, STEP_WAIT };

struct connect_client {
	struct loop *loop;
	struct stream *stream;
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e);
	void *arg;
	enum connect_state state;
	struct timer timer;
	struct later later;
	struct h1_output out;
	struct h1_input in;
	struct err start_error; /* ERR_NONE: the request was written */
};

static void release(struct connect_client *c)
{
	timer_cancel(&c->timer);
	later_cancel(&c->later);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	h1_output_done(&c->out);
	h1_input_done(&c->in);
	loop_free_later(c->loop, c);
}

static enum step finish(struct connect_client *c, struct connect_result *result,
			const struct err *e)
{
	c->state = CONNECT_DONE;
	c->on_done(c->arg, result, e);
	release(c);
	return STEP_WAIT;
}

static enum step step_writing(struct connect_client *c)
{
	int result;

	if (c->start_error.kind != ERR_NONE)
		return finish(c, NULL, &c->start_error);
	result = h1_output_flush(&c->out, c->stream);
	if (result == STREAM_FAILED)
		return finish(c, NULL, stream_error(c->stream));
	if (result == STREAM_AGAIN)
		return STEP_WAIT;
	c->state = CONNECT_READING;
	return STEP_NEXT;
}

static void ignore_event(void *arg, unsigned events)
{
}

static enum step handle_head(struct connect_client *c)
{
	struct connect_result result = { 0 };
	struct h1_response_head head;
	struct err e;

	if (h1_parse_response(buf_view(&c->in.head), &c->in.arena, &head, &e))
		return finish(c, NULL, &e);
	result.status = head.status;
	result.headers = head.headers;
	if (head.status == 200) {
		/* The timer must not find an operation without a stream if the callee is slow. */
		timer_cancel(&c->timer);
		stream_set_owner(c->stream, ignore_event, NULL);
		result.stream = TAKE(c->stream);
		buf_move(&result.early, &c->in.received);
	}
	return finish(c, &result, NULL);
}

static enum step handle_no_bytes(struct connect_client *c, ssize_t result)
{
	struct err e;

	if (result == STREAM_AGAIN)
		return STEP_WAIT;
	if (result == STREAM_FAILED)
		return finish(c, NULL, stream_error(c->stream));
	(void)err_set(&e, ERR_CLOSED, "the server closed the connection before it answered");
	return finish(c, NULL, &e);
}

static enum step step_reading(struct connect_client *c)
{
	struct err e;
	ssize_t got;

	switch (h1_input_scan(&c->in, &e)) {
	case H1_SCAN_COMPLETE:
		return handle_head(c);
	case H1_SCAN_TOO_LARGE:
	case H1_SCAN_BAD:
		return finish(c, NULL, &e);
	case H1_SCAN_MORE:
		break;
	}
	got = h1_input_fill(&c->in, c->loop, c->stream, H1_READ_PIECE);
	return got > 0 ? STEP_NEXT : handle_no_bytes(c, got);
}

static enum step run_step(struct connect_client *c)
{
	switch (c->state) {
	case CONNECT_WRITING:
		return step_writing(c);
	case CONNECT_READING:
		return step_reading(c);
	case CONNECT_DONE:
		break;
	}
	return STEP_WAIT;
}

/* Ends: the head is bounded by HTTP_HEAD_MAX. */
static void drive(struct connect_client *c)
{
	while (run_step(c) == STEP_NEXT)
		;
}

static void on_later(struct later *later)
{
	drive(container_of(later, struct connect_client, later));
}

static void on_stream_event(void *arg, unsigned events)
{
	drive(arg);
}

static void on_due(struct timer *timer)
{
	struct connect_client *c = container_of(timer, struct connect_client, timer);
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "the server did not answer in time");
	finish(c, NULL, &e);
}

struct connect_client *connect_client_start(
	struct loop *loop, struct stream *stream, const struct connect_request *request,
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e), void *arg)
{
	struct h1_request_head head = {
		.method = STR("CONNECT"),
		.target = request->target,
		.host = request->target,
		.headers = request->headers,
		.header_count = request->header_count,
	};
	struct connect_client *c = mem_alloc(sizeof(*c));

	*c = (struct connect_client){
		.loop = loop,
		.stream = stream,
		.on_done = on_done,
		.arg = arg,
		.state = CONNECT_WRITING,
	};
	h1_output_init(&c->out);
	h1_input_init(&c->in);
	(void)h1_write_request(&c->out.bytes, &head, &c->start_error); /* told from the loop */
	stream_set_owner(stream, on_stream_event, c);
	timer_start(&c->timer, loop, loop_now_ms(loop) + request->timeout_ms, on_due);
	later_start(&c->later, loop, on_later);
	return c;
}

void connect_client_cancel(struct connect_client *c)
{
	if (!c || c->state == CONNECT_DONE)
		return;
	c->state = CONNECT_DONE;
	release(c);
}
