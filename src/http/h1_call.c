#include "http/h1_call.h"

#include "base/mem.h"

void h1_call_done(struct h1_call *call)
{
	call->is_over = true;
	timer_cancel(&call->timer);
	later_cancel(&call->later);
	stream_close(TAKE(call->stream), STREAM_CLOSE_NORMAL);
	h1_output_done(&call->out);
	h1_input_done(&call->in);
}

/* The error may be the stream's own, which goes with the stream. */
enum h1_call_step h1_call_fail(struct h1_call *call, const struct err *e)
{
	const struct err copy = *e;

	call->is_over = true;
	call->fail(call, &copy);
	return H1_CALL_WAIT;
}

static enum h1_call_step write_request(struct h1_call *call)
{
	int result;

	if (call->start_error.kind != ERR_NONE)
		return h1_call_fail(call, &call->start_error);
	result = h1_output_flush(&call->out, call->stream);
	if (result == STREAM_FAILED)
		return h1_call_fail(call, stream_error(call->stream));
	if (result == STREAM_AGAIN)
		return H1_CALL_WAIT;
	call->is_written = true;
	return H1_CALL_NEXT;
}

/* Ends: heads, interim heads and bodies are bounded. */
static void drive(struct h1_call *call)
{
	enum h1_call_step step = H1_CALL_NEXT;

	while (step == H1_CALL_NEXT && !call->is_over)
		step = call->is_written ? call->run(call) : write_request(call);
}

static void on_later(struct later *later)
{
	drive(container_of(later, struct h1_call, later));
}

static void on_stream_event(void *arg, unsigned events)
{
	drive(arg);
}

static void on_due(struct timer *timer)
{
	struct h1_call *call = container_of(timer, struct h1_call, timer);
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "the server did not answer in time");
	(void)h1_call_fail(call, &e); /* nobody waits for the step */
}

void h1_call_start(struct h1_call *call, struct loop *loop, struct stream *stream,
		   const struct h1_request_head *request, uint64_t timeout_ms)
{
	call->loop = loop;
	call->stream = stream;
	h1_output_init(&call->out);
	h1_input_init(&call->in);
	(void)h1_write_request(&call->out.bytes, request,
			       &call->start_error); /* told from the loop */
	stream_set_owner(stream, on_stream_event, call);
	timer_start(&call->timer, loop, loop_now_ms(loop) + timeout_ms, on_due);
	later_start(&call->later, loop, on_later);
}

ssize_t h1_call_fill(struct h1_call *call, bool may_end)
{
	ssize_t got = h1_input_fill(&call->in, call->loop, call->stream, H1_READ_PIECE);
	struct err e;

	if (got == STREAM_FAILED)
		(void)h1_call_fail(call, stream_error(call->stream)); /* is_over ends the drive */
	if (got == STREAM_END && !may_end) {
		(void)err_set(&e, ERR_CLOSED,
			      "the server closed the connection before its answer was complete");
		(void)h1_call_fail(call, &e);
	}
	return got;
}

bool h1_call_has_head(struct h1_call *call, enum h1_call_step *ret_step)
{
	struct err e;

	switch (h1_input_scan(&call->in, &e)) {
	case H1_SCAN_COMPLETE:
		return true;
	case H1_SCAN_TOO_LARGE:
	case H1_SCAN_BAD:
		*ret_step = h1_call_fail(call, &e);
		return false;
	case H1_SCAN_MORE:
		break;
	}
	*ret_step = h1_call_fill(call, false) > 0 ? H1_CALL_NEXT : H1_CALL_WAIT;
	return false;
}
