/*
 * h1_server_write.c - the second half of an exchange: WRITING -> SHUTTING -> LINGERING, or the next request
 */

#include "http/h1_server_private.h"

static enum h1_step begin_next_request(struct h1_server *s)
{
	if (s->in.received.len > 0) {
		h1_enter(s, H1_HEAD);
		h1_start_timer(s, s->head_timeout_ms);
		return H1_STEP_NEXT;
	}
	h1_enter(s, H1_IDLE);
	h1_start_timer(s, s->idle_timeout_ms);
	return H1_STEP_NEXT;
}

enum h1_step h1_step_writing(struct h1_server *s)
{
	size_t sent_before = s->out.sent;
	int result = h1_output_flush(&s->out, s->stream);

	if (result == STREAM_FAILED)
		return h1_finish_failed(s);
	if (result == STREAM_AGAIN) {
		if (s->out.sent > sent_before)
			h1_start_timer(s, WRITE_TIMEOUT_MS);
		return H1_STEP_WAIT;
	}
	if (!s->closes_after_response)
		return begin_next_request(s);
	h1_enter(s, H1_SHUTTING);
	h1_start_timer(s, WRITE_TIMEOUT_MS);
	return H1_STEP_NEXT;
}

enum h1_step h1_step_shutting(struct h1_server *s)
{
	int result = stream_shutdown(s->stream);

	if (result == STREAM_FAILED)
		return h1_finish_failed(s);
	if (result == STREAM_AGAIN)
		return H1_STEP_WAIT;
	h1_enter(s, H1_LINGERING);
	h1_start_timer(s, H1_LINGER_MS);
	return H1_STEP_NEXT;
}

enum h1_step h1_step_lingering(struct h1_server *s)
{
	void *block = loop_block_get(s->loop);
	ssize_t got = stream_read(s->stream, block, LOOP_BLOCK_SIZE);

	loop_block_put(s->loop, block);
	if (got == STREAM_AGAIN)
		return H1_STEP_WAIT;
	if (got > 0)
		s->lingered += (size_t)got;
	if (got <= 0 || s->lingered > H1_LINGER_MAX)
		return h1_finish(s, NULL, STREAM_CLOSE_NORMAL);
	return H1_STEP_NEXT;
}
