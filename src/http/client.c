#include "http/client.h"

#include "base/mem.h"
#include "http/h1_io.h"
#include "http/h1_write.h"
#include "io/loop.h"

/*
 * WRITING -> READING_HEAD -> READING_BODY -> DONE, driven like the server: one step function per
 * state, run from the loop only. Interim responses (1xx) are skipped. A request that cannot be
 * written at all fails from the first turn.
 */

/* A server may send this many 1xx heads before the response. */
#define INTERIM_MAX 8

enum client_state { CLIENT_WRITING, CLIENT_HEAD, CLIENT_BODY, CLIENT_DONE };

enum step { STEP_NEXT, STEP_WAIT };

struct http_client {
	struct loop *loop;
	struct stream *stream;
	void (*on_done)(void *arg, const struct http_client_response *response,
			const struct err *e);
	void *arg;
	enum client_state state;
	struct timer timer;
	struct later later;
	char *method;
	struct h1_output out;
	struct h1_input in;
	struct h1_response_head head;
	unsigned interim_count;
	struct h1_body decoder;
	struct buf body;
	struct err start_error; /* ERR_NONE: the request was written */
};

static void release(struct http_client *c)
{
	timer_cancel(&c->timer);
	later_cancel(&c->later);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	h1_output_done(&c->out);
	h1_input_done(&c->in);
	buf_done_secret(&c->body);
	mem_free(TAKE(c->method));
	loop_free_later(c->loop, c);
}

static enum step finish(struct http_client *c, const struct http_client_response *response,
			const struct err *e)
{
	c->state = CLIENT_DONE;
	c->on_done(c->arg, response, e);
	release(c);
	return STEP_WAIT;
}

static enum step succeed(struct http_client *c)
{
	struct http_client_response response = {
		.status = c->head.status,
		.headers = c->head.headers,
		.body = buf_view(&c->body),
	};

	return finish(c, &response, NULL);
}

static enum step fail_closed(struct http_client *c)
{
	struct err e;

	(void)err_set(&e, ERR_CLOSED,
		      "the server closed the connection before its answer was complete");
	return finish(c, NULL, &e);
}

static enum step step_writing(struct http_client *c)
{
	int result;

	if (c->start_error.kind != ERR_NONE)
		return finish(c, NULL, &c->start_error);
	result = h1_output_flush(&c->out, c->stream);
	if (result == STREAM_FAILED)
		return finish(c, NULL, stream_error(c->stream));
	if (result == STREAM_AGAIN)
		return STEP_WAIT;
	c->state = CLIENT_HEAD;
	return STEP_NEXT;
}

static enum step skip_interim(struct http_client *c)
{
	struct err e;

	/* 101 would change the protocol, which nobody asked for. */
	if (c->head.status == 101 || ++c->interim_count > INTERIM_MAX) {
		(void)err_set(&e, ERR_PROTOCOL, "the server sent an interim response too many");
		return finish(c, NULL, &e);
	}
	h1_input_next(&c->in);
	return STEP_NEXT;
}

static enum step begin_response(struct http_client *c)
{
	struct err e;

	if (h1_parse_response(buf_view(&c->in.head), &c->in.arena, &c->head, &e))
		return finish(c, NULL, &e);
	if (c->head.status < 200)
		return skip_interim(c);
	if (h1_body_of_response(&c->decoder, str_from(c->method), &c->head, &e))
		return finish(c, NULL, &e);
	c->state = CLIENT_BODY;
	return STEP_NEXT;
}

static enum step step_head(struct http_client *c)
{
	struct err e;
	ssize_t got;

	switch (h1_input_scan(&c->in, &e)) {
	case H1_SCAN_COMPLETE:
		return begin_response(c);
	case H1_SCAN_TOO_LARGE:
	case H1_SCAN_BAD:
		return finish(c, NULL, &e);
	case H1_SCAN_MORE:
		break;
	}
	got = h1_input_fill(&c->in, c->loop, c->stream, H1_READ_PIECE);
	if (got == STREAM_FAILED)
		return finish(c, NULL, stream_error(c->stream));
	if (got == STREAM_END)
		return fail_closed(c);
	return got > 0 ? STEP_NEXT : STEP_WAIT;
}

static enum step step_body(struct http_client *c)
{
	struct err e;
	ssize_t got;

	if (h1_input_decode(&c->in, &c->decoder, &c->body, &e))
		return finish(c, NULL, &e);
	if (c->decoder.is_complete)
		return succeed(c);
	got = h1_input_fill(&c->in, c->loop, c->stream, H1_READ_PIECE);
	if (got == STREAM_FAILED)
		return finish(c, NULL, stream_error(c->stream));
	if (got == STREAM_END)
		return c->decoder.kind == H1_BODY_UNTIL_END ? succeed(c) : fail_closed(c);
	return got > 0 ? STEP_NEXT : STEP_WAIT;
}

static enum step run_step(struct http_client *c)
{
	switch (c->state) {
	case CLIENT_WRITING:
		return step_writing(c);
	case CLIENT_HEAD:
		return step_head(c);
	case CLIENT_BODY:
		return step_body(c);
	case CLIENT_DONE:
		break;
	}
	return STEP_WAIT;
}

/* Ends: the answer is bounded by HTTP_HEAD_MAX, INTERIM_MAX and body_max. */
static void drive(struct http_client *c)
{
	while (run_step(c) == STEP_NEXT)
		;
}

static void on_later(struct later *later)
{
	drive(container_of(later, struct http_client, later));
}

static void on_stream_event(void *arg, unsigned events)
{
	drive(arg);
}

static void on_due(struct timer *timer)
{
	struct http_client *c = container_of(timer, struct http_client, timer);
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "the server did not answer in time");
	finish(c, NULL, &e);
}

struct http_client *http_client_start(struct loop *loop, struct stream *stream,
				      const struct http_client_request *request,
				      void (*on_done)(void *arg,
						      const struct http_client_response *response,
						      const struct err *e),
				      void *arg)
{
	struct h1_request_head head = {
		.method = request->method,
		.target = request->target,
		.host = request->host,
		.headers = request->headers,
		.header_count = request->header_count,
		.body = request->body,
		.close = true,
	};
	struct http_client *c = mem_alloc(sizeof(*c));

	*c = (struct http_client){
		.loop = loop,
		.stream = stream,
		.on_done = on_done,
		.arg = arg,
		.state = CLIENT_WRITING,
		.method = str_copy(request->method),
		.body = BUF_INIT(request->body_max),
	};
	h1_output_init(&c->out);
	h1_input_init(&c->in);
	(void)h1_write_request(&c->out.bytes, &head, &c->start_error); /* told from the loop */
	stream_set_owner(stream, on_stream_event, c);
	timer_start(&c->timer, loop, loop_now_ms(loop) + request->timeout_ms, on_due);
	later_start(&c->later, loop, on_later);
	return c;
}

void http_client_cancel(struct http_client *c)
{
	if (!c || c->state == CLIENT_DONE)
		return;
	c->state = CLIENT_DONE;
	release(c);
}
