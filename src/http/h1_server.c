#include "http/h1_server.h"

#include <assert.h>

#include "base/mem.h"
#include "http/h1_server_private.h"
#include "http/h1_write.h"
#include "http/websocket.h"

/*
 * One state, one step function per state, one driver. The driver runs only from the loop (a
 * stream event, a later-call, never from inside a call of the owner), goes from step to step
 * until one must wait, and gives the loop back after DRIVE_STEPS_MAX steps, so that a client that
 * pipelines without pause does not starve the others.
 *
 *	          .------------------------------------------.
 *	          v                                          |
 *	IDLE -> HEAD -> [CONTINUE ->] BODY -> ANSWERING -> WRITING -> SHUTTING -> LINGERING
 *	          |                    |                     ^
 *	          '--------------------'----> REFUSING ------'
 *
 * A new connection begins in HEAD: its first request has head_timeout_ms, of which nothing is
 * given back while it is silent. While an ordinary request is ANSWERING nothing is read (that is
 * backpressure); while a CONNECT is, what comes is kept, which also shows a client that has gone.
 */

#define DRIVE_STEPS_MAX 64

#define BIT(state) (1u << (state))

/* From which states a state may be entered; CLOSED from every one. */
static const unsigned allowed_from[] = {
	[H1_IDLE] = BIT(H1_WRITING),
	[H1_HEAD] = BIT(H1_IDLE) | BIT(H1_WRITING),
	[H1_CONTINUE] = BIT(H1_HEAD),
	[H1_BODY] = BIT(H1_HEAD) | BIT(H1_CONTINUE),
	[H1_ANSWERING] = BIT(H1_HEAD) | BIT(H1_BODY),
	[H1_REFUSING] = BIT(H1_HEAD) | BIT(H1_CONTINUE) | BIT(H1_BODY),
	[H1_WRITING] = BIT(H1_ANSWERING) | BIT(H1_REFUSING),
	[H1_SHUTTING] = BIT(H1_WRITING),
	[H1_LINGERING] = BIT(H1_SHUTTING),
	[H1_CLOSED] = ~BIT(H1_CLOSED),
};

void h1_enter(struct h1_server *s, enum h1_state state)
{
	assert(allowed_from[state] & BIT(s->state));
	s->state = state;
}

static void on_due(struct timer *timer);

static void start_timer_from(struct h1_server *s, uint64_t begin_ms, uint64_t timeout_ms)
{
	timer_cancel(&s->timer);
	if (timeout_ms > 0)
		timer_start(&s->timer, s->loop, begin_ms + timeout_ms, on_due);
}

void h1_start_timer(struct h1_server *s, uint64_t timeout_ms)
{
	start_timer_from(s, loop_now_ms(s->loop), timeout_ms);
}

/* ---- the end ---- */

static void forget_request(struct h1_server *s)
{
	s->request = (struct http_request){ 0 };
	buf_done_secret(&s->body);
	h1_input_next(&s->in);
}

static void destroy(struct h1_server *s, enum stream_close how)
{
	h1_enter(s, H1_CLOSED);
	timer_cancel(&s->timer);
	later_cancel(&s->later);
	stream_close(TAKE(s->stream), how);
	forget_request(s);
	h1_input_done(&s->in);
	h1_output_done(&s->out);
	loop_free_later(s->loop, s);
}

/* why may belong to the stream, which destroy() releases. */
enum h1_step h1_finish(struct h1_server *s, const struct err *why, enum stream_close how)
{
	struct err copy = { 0 };

	if (why)
		copy = *why;
	destroy(s, how);
	s->events->on_closed(s->arg, why ? &copy : NULL);
	return H1_STEP_WAIT;
}

enum h1_step h1_finish_failed(struct h1_server *s)
{
	return h1_finish(s, stream_error(s->stream), STREAM_CLOSE_RESET);
}

/* Something that is no request came, or did not come in time. */
static enum h1_step refuse(struct h1_server *s, int status, const struct err *e)
{
	timer_cancel(&s->timer);
	forget_request(s);
	h1_enter(s, H1_REFUSING);
	s->events->on_bad_request(s->arg, status, e);
	return H1_STEP_NEXT;
}

/* ---- reading ---- */

/* What to do when a read gave no bytes; is_between: no request has begun. */
static enum h1_step handle_no_bytes(struct h1_server *s, ssize_t result, bool is_between)
{
	struct err e;

	if (result == STREAM_AGAIN)
		return H1_STEP_WAIT;
	if (result == STREAM_FAILED)
		return h1_finish_failed(s);
	if (is_between)
		return h1_finish(s, NULL, STREAM_CLOSE_NORMAL);
	(void)err_set(&e, ERR_CLOSED,
		      "the client closed the connection in the middle of a request");
	return h1_finish(s, &e, STREAM_CLOSE_NORMAL);
}

static enum h1_step step_idle(struct h1_server *s)
{
	ssize_t got = h1_input_fill(&s->in, s->loop, s->stream, H1_READ_PIECE);

	if (got == STREAM_AGAIN && s->is_last)
		return h1_finish(s, NULL, STREAM_CLOSE_NORMAL);
	if (got <= 0)
		return handle_no_bytes(s, got, true);
	h1_enter(s, H1_HEAD);
	h1_start_timer(s, s->head_timeout_ms);
	return H1_STEP_NEXT;
}

static enum h1_step deliver(struct h1_server *s)
{
	/* The time for a tunnel goes on until it is there. */
	if (!s->request.is_connect || !s->events->on_late)
		timer_cancel(&s->timer);
	s->request.body = buf_view(&s->body);
	if (s->in.received.len == 0)
		buf_done_secret(&s->in.received);
	h1_enter(s, H1_ANSWERING);
	s->events->on_request(s->arg, &s->request);
	return H1_STEP_NEXT;
}

static bool awaits_continue(const struct h1_server *s)
{
	return s->request.minor_version == 1 && s->in.received.len == 0 &&
	       http_headers_has_token(&s->request.headers, STR("expect"), STR("100-continue"));
}

static enum h1_step begin_body(struct h1_server *s)
{
	struct err e;

	if (s->decoder.kind == H1_BODY_LENGTH && s->decoder.left > HTTP_BODY_MAX) {
		(void)err_set(&e, ERR_LIMIT, "the body is larger than %u bytes", HTTP_BODY_MAX);
		return refuse(s, 413, &e);
	}
	h1_start_timer(s, s->head_timeout_ms);
	if (!awaits_continue(s)) {
		h1_enter(s, H1_BODY);
		return H1_STEP_NEXT;
	}
	/* into an empty buffer: it fits */
	(void)buf_append_str(&s->out.bytes, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	h1_enter(s, H1_CONTINUE);
	return H1_STEP_NEXT;
}

static enum h1_step begin_request(struct h1_server *s)
{
	struct err e;
	int status = 0;

	if (h1_parse_request(buf_view(&s->in.head), &s->in.arena, &s->request, &e) ||
	    h1_body_of_request(&s->decoder, &s->request, &e))
		return refuse(s, 400, &e);
	if (s->request.is_websocket)
		status = websocket_check(&s->request, &e);
	if (status != 0)
		return refuse(s, status, &e);
	return s->decoder.is_complete ? deliver(s) : begin_body(s);
}

static enum h1_step step_head(struct h1_server *s)
{
	struct err e;
	ssize_t got;

	switch (h1_input_scan(&s->in, &e)) {
	case H1_SCAN_COMPLETE:
		return begin_request(s);
	case H1_SCAN_TOO_LARGE:
		return refuse(s, 431, &e);
	case H1_SCAN_BAD:
		return refuse(s, 400, &e);
	case H1_SCAN_MORE:
		break;
	}
	got = h1_input_fill(&s->in, s->loop, s->stream, H1_READ_PIECE);
	if (got <= 0)
		return handle_no_bytes(s, got, s->in.received.len == 0);
	return H1_STEP_NEXT;
}

static enum h1_step step_continue(struct h1_server *s)
{
	int result = h1_output_flush(&s->out, s->stream);

	if (result == STREAM_FAILED)
		return h1_finish_failed(s);
	if (result == STREAM_AGAIN)
		return H1_STEP_WAIT;
	h1_enter(s, H1_BODY);
	return H1_STEP_NEXT;
}

static enum h1_step step_body(struct h1_server *s)
{
	struct err e;
	ssize_t got;

	if (h1_input_decode(&s->in, &s->decoder, &s->body, &e))
		return refuse(s, e.kind == ERR_LIMIT ? 413 : 400, &e);
	if (s->decoder.is_complete)
		return deliver(s);
	got = h1_input_fill(&s->in, s->loop, s->stream, H1_READ_PIECE);
	if (got <= 0)
		return handle_no_bytes(s, got, false);
	return H1_STEP_NEXT;
}

static enum h1_step step_answering(struct h1_server *s)
{
	ssize_t got;

	if (!s->request.is_connect || s->in.received.len >= H1_EARLY_MAX)
		return H1_STEP_WAIT;
	got = h1_input_fill(&s->in, s->loop, s->stream, H1_EARLY_MAX - s->in.received.len);
	if (got == STREAM_FAILED)
		return h1_finish_failed(s);
	/* The end is a half-close here: who takes the tunnel will read it once more. */
	return got > 0 ? H1_STEP_NEXT : H1_STEP_WAIT;
}

/* ---- driving ---- */

static enum h1_step run_step(struct h1_server *s)
{
	switch (s->state) {
	case H1_IDLE:
		return step_idle(s);
	case H1_HEAD:
		return step_head(s);
	case H1_CONTINUE:
		return step_continue(s);
	case H1_BODY:
		return step_body(s);
	case H1_ANSWERING:
		return step_answering(s);
	case H1_WRITING:
		return h1_step_writing(s);
	case H1_SHUTTING:
		return h1_step_shutting(s);
	case H1_LINGERING:
		return h1_step_lingering(s);
	case H1_REFUSING:
	case H1_CLOSED:
		break;
	}
	return H1_STEP_WAIT;
}

static void on_later(struct later *later);

static void drive(struct h1_server *s)
{
	for (int i = 0; i < DRIVE_STEPS_MAX; i++) {
		if (run_step(s) == H1_STEP_WAIT)
			return;
	}
	later_start(&s->later, s->loop, on_later);
}

static void on_later(struct later *later)
{
	drive(container_of(later, struct h1_server, later));
}

static void on_stream_event(void *arg, unsigned events)
{
	drive(arg);
}

static void on_due(struct timer *timer)
{
	struct h1_server *s = container_of(timer, struct h1_server, timer);
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "the client took too long"); /* used where it is one */
	switch (s->state) {
	case H1_IDLE:
	case H1_LINGERING:
		h1_finish(s, NULL, STREAM_CLOSE_NORMAL);
		return;
	case H1_HEAD:
		if (s->in.received.len == 0) {
			h1_finish(s, &e, STREAM_CLOSE_NORMAL);
			return;
		}
		refuse(s, 408, &e);
		return;
	case H1_CONTINUE:
	case H1_BODY:
		refuse(s, 408, &e);
		return;
	case H1_WRITING:
	case H1_SHUTTING:
		h1_finish(s, &e, STREAM_CLOSE_RESET);
		return;
	case H1_ANSWERING:
		s->events->on_late(s->arg);
		return;
	case H1_REFUSING:
	case H1_CLOSED:
		break;
	}
	assert(false); /* these states have no timer */
}

/* ---- the owner's side ---- */

struct h1_server *h1_server_open(struct loop *loop, struct stream *stream,
				 const struct h1_server_options *options)
{
	struct h1_server *s = mem_alloc(sizeof(*s));

	*s = (struct h1_server){
		.loop = loop,
		.stream = stream,
		.events = options->events,
		.arg = options->arg,
		.head_timeout_ms = options->head_timeout_ms,
		.idle_timeout_ms = options->idle_timeout_ms,
		.state = H1_HEAD,
		.body = BUF_INIT(HTTP_BODY_MAX),
	};
	h1_input_init(&s->in);
	h1_output_init(&s->out);
	stream_set_owner(stream, on_stream_event, s);
	start_timer_from(s, options->began_ms ? options->began_ms : loop_now_ms(loop),
			 s->head_timeout_ms);
	later_start(&s->later, loop, on_later);
	return s;
}

static struct h1_response_form response_form(const struct h1_server *s, bool wants_close)
{
	struct h1_response_form form = {
		.kind = H1_RESPONSE_FULL,
		.close = wants_close || s->request.is_connect || !s->request.keep_alive,
		.says_keep_alive = s->request.minor_version == 0,
	};

	if (str_equal(s->request.method, STR("HEAD")))
		form.kind = H1_RESPONSE_TO_HEAD;
	return form;
}

void h1_server_respond(struct h1_server *s, const struct http_response *response)
{
	/* After a refusal the request is empty, keep_alive false. */
	struct h1_response_form form = response_form(s, response->close || s->is_last);

	h1_write_response(&s->out.bytes, response, &form);
	s->closes_after_response = form.close;
	if (form.close)
		buf_done_secret(&s->in.received);
	h1_enter(s, H1_WRITING);
	forget_request(s);
	h1_start_timer(s, WRITE_TIMEOUT_MS);
	later_start(&s->later, s->loop, on_later);
}

static void ignore_event(void *arg, unsigned events)
{
}

struct stream *h1_server_take_tunnel(struct h1_server *s, const struct http_response *response,
				     struct buf *ret_head, struct buf *ret_early)
{
	const struct h1_response_form form = { .kind = H1_RESPONSE_TUNNEL };
	struct stream *stream = TAKE(s->stream);

	assert(s->state == H1_ANSWERING && s->request.is_connect);
	*ret_head = BUF_INIT(H1_MESSAGE_MAX);
	h1_write_response(ret_head, response, &form);
	*ret_early = BUF_INIT(0);
	buf_move(ret_early, &s->in.received);
	stream_set_owner(stream, ignore_event, NULL);
	destroy(s, STREAM_CLOSE_NORMAL);
	return stream;
}

void h1_server_finish(struct h1_server *s)
{
	s->is_last = true;
	if (s->state == H1_IDLE)
		later_start(&s->later, s->loop, on_later);
}

void h1_server_close(struct h1_server *s, enum stream_close how)
{
	if (!s || s->state == H1_CLOSED)
		return;
	destroy(s, how);
}
