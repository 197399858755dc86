/*
 * Driven by events of the lower stream and by a later-call of whoever submits something:
 *
 *	read -> nghttp2 notes -> those concerned are told -> read ... -> write
 *
 * It goes on reading while writing is stopped: both sides could wait for each other otherwise. What comes is bounded by
 * the windows, and what it makes us answer by the budgets.
 *
 *	RUNNING -> FLUSHING -> SHUTTING -> LINGERING -> OVER     (OVER from every one)
 */

#include "http/h2_session.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/h2_stream.h"

#define READ_ROUNDS 4

static void on_later(struct later *later)
{
	h2_session_drive(container_of(later, struct h2_session, later));
}

void h2_session_wake(struct h2_session *s)
{
	later_start(&s->later, s->loop, on_later);
}

/* ---- the end ---- */

void h2_session_release(struct h2_session *s)
{
	if (s->state != H2_OVER || !list_is_empty(&s->streams) || s->is_released)
		return;
	s->is_released = true;
	later_cancel(&s->later);
	loop_free_later(s->loop, s);
}

static void fail_streams(struct h2_session *s, const struct err *why)
{
	struct err e;

	(void)err_set(&e, ERR_RESET, "the connection has ended");
	if (why && why->kind != ERR_NONE)
		e = *why;
	LIST_FOREACH (&s->streams, node) {
		struct h2_stream *st = container_of(node, struct h2_stream, in_session);

		if (!st->is_live)
			continue;
		(void)nghttp2_session_set_stream_user_data(s->ng, st->id, NULL);
		st->is_live = false;
		s->live_count--;
		if (st->is_orphan)
			h2_stream_abandon(st);
		else
			h2_stream_fail(st, &e);
	}
}

static void end(struct h2_session *s, const struct err *why, enum stream_close how)
{
	fail_streams(s, why);
	s->state = H2_OVER;
	timer_cancel(&s->timer);
	timer_cancel(&s->answers_timer);
	nghttp2_session_del(TAKE(s->ng));
	stream_close(TAKE(s->lower), how);
	buf_done_secret(&s->unsent);
}

/* why may belong to the lower stream. */
static void finish(struct h2_session *s, const struct err *why, enum stream_close how)
{
	struct err copy = { 0 };

	if (why)
		copy = *why;
	end(s, why ? &copy : NULL, how);
	s->role->on_over(s, copy.kind == ERR_NONE ? NULL : &copy);
	h2_session_release(s);
}

void h2_session_close(struct h2_session *s, enum stream_close how)
{
	if (s->state == H2_OVER)
		return;
	end(s, NULL, how);
	h2_session_release(s);
}

static void on_due(struct timer *timer)
{
	struct h2_session *s = container_of(timer, struct h2_session, timer);

	finish(s, &s->why, s->state == H2_LINGERING ? STREAM_CLOSE_NORMAL : STREAM_CLOSE_RESET);
}

static void enter(struct h2_session *s, enum h2_state state, uint64_t timeout_ms)
{
	s->state = state;
	timer_start(&s->timer, s->loop, loop_now_ms(s->loop) + timeout_ms, on_due);
}

static void begin_end(struct h2_session *s)
{
	fail_streams(s, &s->why);
	timer_cancel(&s->answers_timer);
	enter(s, H2_FLUSHING, H2_WRITE_TIMEOUT_MS);
	h2_session_wake(s);
}

void h2_session_terminate(struct h2_session *s, uint32_t code, const struct err *why)
{
	if (s->state != H2_RUNNING)
		return;
	if (why)
		s->why = *why;
	(void)nghttp2_session_terminate_session(s->ng, code); /* memory only */
	begin_end(s);
}

void h2_session_finish(struct h2_session *s)
{
	if (s->state != H2_RUNNING)
		return;
	(void)nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
				    nghttp2_session_get_last_proc_stream_id(s->ng),
				    NGHTTP2_NO_ERROR, NULL, 0); /* memory only */
	h2_session_wake(s);
}

/* ---- answers that nobody takes ---- */

static void on_answers_due(struct timer *timer)
{
	struct h2_session *s = container_of(timer, struct h2_session, answers_timer);
	uint64_t now_ms = loop_now_ms(s->loop);

	LIST_FOREACH (&s->streams, node) {
		struct h2_stream *st = container_of(node, struct h2_stream, in_session);

		if (st->is_orphan && st->answer_ms + H2_WRITE_TIMEOUT_MS <= now_ms)
			h2_stream_reset(st, NGHTTP2_CANCEL);
		else if (st->is_orphan)
			timer_start(timer, s->loop, st->answer_ms + H2_WRITE_TIMEOUT_MS,
				    on_answers_due);
	}
}

void h2_session_watch_answers(struct h2_session *s)
{
	struct err e;

	if (s->answers_left > H2_ANSWERS_MAX) {
		(void)err_set(&e, ERR_LIMIT, "HTTP/2: more than %u bytes of answers not taken",
			      H2_ANSWERS_MAX);
		h2_session_terminate(s, NGHTTP2_ENHANCE_YOUR_CALM, &e);
		return;
	}
	if (!timer_is_started(&s->answers_timer))
		timer_start(&s->answers_timer, s->loop, loop_now_ms(s->loop) + H2_WRITE_TIMEOUT_MS,
			    on_answers_due);
}

/* ---- reading ---- */

static void handle_violation(struct h2_session *s, ssize_t code)
{
	uint32_t said = NGHTTP2_PROTOCOL_ERROR;

	if (code == NGHTTP2_ERR_CALLBACK_FAILURE || code == NGHTTP2_ERR_FLOODED ||
	    code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		said = NGHTTP2_ENHANCE_YOUR_CALM;
	if (s->why.kind == ERR_NONE)
		(void)err_set(&s->why, ERR_PROTOCOL, "HTTP/2: %s", nghttp2_strerror((int)code));
	h2_session_terminate(s, said, NULL);
}

static void handle_no_bytes(struct h2_session *s, ssize_t result)
{
	struct err e;

	if (result == STREAM_FAILED) {
		finish(s, stream_error(s->lower), STREAM_CLOSE_RESET);
		return;
	}
	if (s->live_count == 0) {
		finish(s, NULL, STREAM_CLOSE_NORMAL);
		return;
	}
	(void)err_set(&e, ERR_RESET, "the other end has closed the connection");
	finish(s, &e, STREAM_CLOSE_NORMAL);
}

static ssize_t read_into_nghttp2(struct h2_session *s, void *block)
{
	ssize_t got = stream_read(s->lower, block, LOOP_BLOCK_SIZE);
	ssize_t result;

	if (got <= 0)
		return got;
	s->heard_ms = loop_now_ms(s->loop);
	result = nghttp2_session_mem_recv(s->ng, block, (size_t)got);
	if (result < 0)
		handle_violation(s, result);
	return got;
}

static void tell_all(struct h2_session *s)
{
	struct list_node *first;

	while ((first = list_first(&s->due)))
		h2_stream_tell(container_of(first, struct h2_stream, in_due));
}

/* One block; readers take theirs before there is more. False: there is no more for now. */
static bool read_and_tell(struct h2_session *s)
{
	struct h2_lent lent __attribute__((uninitialized)); /* count says what is there */
	void *block = loop_block_get(s->loop);
	ssize_t got;

	lent.count = 0;
	s->transit.lent = &lent;
	got = read_into_nghttp2(s, block);
	if (s->state == H2_RUNNING && got != STREAM_AGAIN && got <= 0)
		handle_no_bytes(s, got);
	tell_all(s);
	h2_lent_return_all(&lent);
	s->transit.lent = NULL;
	loop_block_put(s->loop, block);
	return got > 0;
}

static void read_some(struct h2_session *s)
{
	for (int i = 0; i < READ_ROUNDS && s->state == H2_RUNNING; i++)
		if (!read_and_tell(s))
			return;
	h2_session_wake(s); /* there may be more */
}

/* ---- writing ---- */

static void write_some(struct h2_session *s)
{
	switch (h2_output_write(s)) {
	case H2_OUTPUT_EMPTY:
	case H2_OUTPUT_BLOCKED:
		return;
	case H2_OUTPUT_MORE:
		h2_session_wake(s);
		return;
	case H2_OUTPUT_FAILED:
		finish(s, stream_error(s->lower), STREAM_CLOSE_RESET);
		return;
	}
}

/* From inside a call of an owner of a stream: what it means for others is found out later. */
void h2_session_write_now(struct h2_session *s)
{
	if (h2_output_write(s) != H2_OUTPUT_BLOCKED)
		h2_session_wake(s);
}

/* ---- the states ---- */

static bool has_all_written(const struct h2_session *s)
{
	return s->unsent.len == 0 && !nghttp2_session_want_write(s->ng);
}

static void tell_role(struct h2_session *s)
{
	if (s->live_count == s->told_count && s->peer_is_going == s->told_is_going)
		return;
	s->told_count = s->live_count;
	s->told_is_going = s->peer_is_going;
	s->role->on_change(s);
}

static void run(struct h2_session *s)
{
	read_some(s);
	if (s->state != H2_OVER)
		write_some(s);
	if (s->state != H2_RUNNING)
		return;
	if (!list_is_empty(&s->due))
		h2_session_wake(s);
	if (has_all_written(s) && !nghttp2_session_want_read(s->ng)) {
		begin_end(s);
		return;
	}
	tell_role(s);
}

static void flush(struct h2_session *s)
{
	tell_all(s);
	if (s->state == H2_FLUSHING)
		write_some(s);
	if (s->state == H2_FLUSHING && has_all_written(s))
		enter(s, H2_SHUTTING, H2_WRITE_TIMEOUT_MS);
}

static void shut(struct h2_session *s)
{
	int result = stream_shutdown(s->lower);

	if (result == STREAM_FAILED)
		finish(s, s->why.kind ? &s->why : stream_error(s->lower), STREAM_CLOSE_RESET);
	else if (result != STREAM_AGAIN)
		enter(s, H2_LINGERING, H2_LINGER_MS);
}

static void linger(struct h2_session *s)
{
	void *block = loop_block_get(s->loop);
	ssize_t got = stream_read(s->lower, block, LOOP_BLOCK_SIZE);

	loop_block_put(s->loop, block);
	if (got == STREAM_AGAIN)
		return;
	s->lingered += got > 0 ? (size_t)got : 0;
	if (got <= 0 || s->lingered > H2_LINGER_MAX)
		finish(s, &s->why, STREAM_CLOSE_NORMAL);
	else
		h2_session_wake(s);
}

void h2_session_drive(struct h2_session *s)
{
	if (s->state == H2_RUNNING)
		run(s);
	if (s->state == H2_FLUSHING)
		flush(s);
	if (s->state == H2_SHUTTING)
		shut(s);
	if (s->state == H2_LINGERING)
		linger(s);
	if (s->state == H2_OVER)
		tell_all(s);
}

static void on_lower_event(void *arg, unsigned events)
{
	h2_session_drive(arg);
}

/* ---- the beginning ---- */

void h2_session_init(struct h2_session *s, struct loop *loop, struct stream *lower,
		     const struct h2_role *role, const nghttp2_settings_entry *extra)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, role->begin ? H2_STREAMS_MAX : 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_FRAME_SIZE, H2_FRAME_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX },
		*extra,
	};

	*s = (struct h2_session){
		.loop = loop,
		.lower = lower,
		.role = role,
		.growth_left = H2_GROWTH_MAX,
		.heard_ms = loop_now_ms(loop),
		.unsent = BUF_INIT(H2_UNSENT_MAX),
	};
	list_init(&s->streams);
	list_init(&s->due);
	h2_budgets_init(&s->budgets, loop_now_ms(loop));
	s->ng = h2_callbacks_new_session(s, role->begin != NULL);
	/* These fail for want of memory only. */
	(void)nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	(void)nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0,
						    H2_CONNECTION_WINDOW);
	stream_set_owner(lower, on_lower_event, s);
	h2_session_wake(s);
}
