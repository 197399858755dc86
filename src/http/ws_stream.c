/*
 * Sending is ws_out.h's. While there is something unsent nothing more is accepted; control frames wait until then as well.
 *
 * Receiving: bytes are read into the reader's own memory, unmasked there, and what is no payload is closed up: nothing is
 * kept. A frame that ends the stream may stand behind payload, which is delivered first.
 *
 * Events of the lower stream are passed on: they come only after it has said AGAIN, and that is where we say so too. After
 * the peer's close it is still watched, since its end is how one who does not wait for ours is noticed.
 */

#include "http/ws_stream.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/ws_out.h"

#define READS_IN_A_ROW 16
#define CLOSE_LEN      2
#define GONE_READ      1024

struct ws_stream {
	struct stream stream;
	struct stream *lower;
	struct loop *loop;
	struct ws_reader reader;
	struct ws_out out;
	struct buf early; /* frames that were received before us */
	struct later later;
	struct timer ping; /* of a client */
	struct ws_account account;
	enum ws_close_code reset_code; /* see ws_stream_explain() */
	const char *reset_reason;
	uint8_t pong_len;
	uint8_t pong[WS_CONTROL_MAX];
	bool owes_pong;
	bool is_shut;  /* our close was sent, or waits in out */
	bool has_end;  /* the peer's has come */
	bool gave_end; /* to the owner */
	bool is_lower_shut;
	bool tells_later;  /* the owner expects an event nobody else gives */
	bool told_problem; /* the peer was told what is wrong */
	bool was_active;   /* since the last look of the timer */
};

static struct ws_stream *from_stream(struct stream *s)
{
	return container_of(s, struct ws_stream, stream);
}

static int fail_below(struct ws_stream *w)
{
	return stream_fail(&w->stream, stream_error(w->lower));
}

static void on_later(struct later *later);

static void tell_later(struct ws_stream *w)
{
	w->tells_later = true;
	later_start(&w->later, w->loop, on_later);
}

/* ---- writing ---- */

static void append_close(struct ws_stream *w, enum ws_close_code code, const char *reason)
{
	uint8_t payload[WS_CONTROL_MAX] = { (uint8_t)(code >> 8), (uint8_t)(code & 0xff) };
	size_t len = strlen(reason);

	assert(len <= WS_REASON_MAX);
	memcpy(payload + CLOSE_LEN, reason, len);
	ws_out_append_control(&w->out, WS_CLOSE, payload, CLOSE_LEN + len);
	w->is_shut = true;
	w->owes_pong = false;
}

/* STREAM_END when nothing is left. */
static int flush(struct ws_stream *w)
{
	for (;;) {
		int result = ws_out_flush(&w->out);

		if (result == STREAM_FAILED)
			return fail_below(w);
		if (result == STREAM_AGAIN || !w->owes_pong)
			return result;
		ws_out_append_control(&w->out, WS_PONG, w->pong, w->pong_len);
		w->owes_pong = false;
	}
}

static ssize_t ws_stream_write(struct stream *s, const struct iovec *iov, int count)
{
	struct ws_stream *w = from_stream(s);
	ssize_t result;

	if (s->err)
		return STREAM_FAILED;
	assert(!w->is_shut);
	result = flush(w);
	if (result != STREAM_END)
		return result;
	result = ws_out_write(&w->out, w->loop, iov, count);
	if (result == STREAM_FAILED)
		return fail_below(w);
	w->was_active |= result > 0;
	return result;
}

/* When both have closed. STREAM_END: all that was accepted has left, or it is not the time yet. */
static int shut_lower(struct ws_stream *w)
{
	int result = flush(w);

	if (result != STREAM_END || !w->is_shut || !w->has_end || w->is_lower_shut)
		return result;
	result = stream_shutdown(w->lower);
	w->is_lower_shut = result != STREAM_AGAIN;
	/* Many who have both closes are gone at once: that is no failure. */
	return w->is_lower_shut ? STREAM_END : STREAM_AGAIN;
}

static int ws_stream_shutdown(struct stream *s)
{
	struct ws_stream *w = from_stream(s);

	if (s->err)
		return STREAM_FAILED;
	if (!w->is_shut)
		append_close(w, WS_CLOSE_NORMAL, "");
	return shut_lower(w);
}

/* ---- reading ---- */

/* As far as it goes. */
static void tell_problem(struct ws_stream *w, enum ws_close_code code, const char *reason)
{
	if (w->is_shut || !ws_out_is_empty(&w->out))
		return;
	append_close(w, code, reason);
	w->told_problem = flush(w) == STREAM_END;
}

static int fail(struct ws_stream *w, enum ws_close_code code, const struct err *e)
{
	tell_problem(w, code, "");
	return stream_fail(&w->stream, e);
}

static int take_idle(struct ws_stream *w, const struct ws_bytes *ping)
{
	struct err e;

	if (!ws_account_spend(&w->account, loop_now_ms(w->loop))) {
		(void)err_set(&e, ERR_LIMIT,
			      "WebSocket: more than %d frames without data, and %d a second",
			      WS_IDLE_BURST, WS_IDLE_PER_SECOND);
		return fail(w, WS_CLOSE_POLICY, &e);
	}
	if (!ping || w->is_shut)
		return 0;
	memcpy(w->pong, ping->at, ping->len);
	w->pong_len = (uint8_t)ping->len;
	w->owes_pong = true;
	return flush(w) == STREAM_FAILED ? STREAM_FAILED : 0;
}

/* The peer is not there any more although it has not been told our end. */
static void lose_peer(struct ws_stream *w)
{
	struct err e;

	if (w->is_shut || w->stream.err)
		return;
	(void)err_set(&e, ERR_RESET, "the other end of the WebSocket did not wait for its close");
	(void)stream_fail(&w->stream, &e);
	tell_later(w);
}

/* After its close the peer sends nothing that counts. */
static void watch_for_end(struct ws_stream *w)
{
	uint8_t dropped[GONE_READ];

	for (int i = 0; i < READS_IN_A_ROW; i++) {
		ssize_t count = stream_read(w->lower, dropped, sizeof(dropped));

		if (count == STREAM_AGAIN)
			return;
		if (count > 0)
			continue;
		lose_peer(w);
		return;
	}
	lose_peer(w); /* it talks on and on */
}

static int take_close(struct ws_stream *w, enum ws_close_code code)
{
	struct err e;

	if (code == WS_CLOSE_NORMAL || code == WS_CLOSE_GOING_AWAY || code == WS_CLOSE_NO_STATUS) {
		w->has_end = true;
		watch_for_end(w);
		return 0;
	}
	(void)err_set(&e, ERR_RESET, "the other end has closed the WebSocket with code %d",
		      (int)code);
	return fail(w, code, &e);
}

/* What one frame means; payload is moved to its place. -1: nothing more is to be read. */
static int take_event(struct ws_stream *w, enum ws_event event, const struct ws_bytes *payload,
		      uint8_t *to)
{
	switch (event) {
	case WS_EVENT_DATA:
		memmove(to, payload->at, payload->len);
		return 0;
	case WS_EVENT_PING:
		return take_idle(w, payload);
	case WS_EVENT_EMPTY:
	case WS_EVENT_PONG:
		return take_idle(w, NULL);
	case WS_EVENT_CLOSED:
	case WS_EVENT_BROKEN:
	case WS_EVENT_MORE:
		break;
	}
	return 0;
}

/* Takes the framing off what lies in data. Returns the length of what is left, also if the stream has ended or failed. */
static size_t decode(struct ws_stream *w, uint8_t *data, size_t len)
{
	struct ws_bytes rest = { .at = data, .len = len };
	size_t kept = 0;

	for (;;) {
		struct ws_bytes payload = { 0 };
		enum ws_close_code code = WS_CLOSE_NORMAL;
		struct err e;
		enum ws_event event = ws_read(&w->reader, &rest, &payload, &code, &e);

		if (event == WS_EVENT_CLOSED)
			(void)take_close(w, code);
		if (event == WS_EVENT_BROKEN)
			(void)fail(w, code, &e);
		if (event == WS_EVENT_MORE || event == WS_EVENT_CLOSED || event == WS_EVENT_BROKEN)
			return kept;
		if (take_event(w, event, &payload, data + kept) < 0)
			return kept;
		kept += event == WS_EVENT_DATA ? payload.len : 0;
	}
}

static ssize_t fetch(struct ws_stream *w, void *to, size_t len)
{
	struct err e;
	ssize_t count;

	if (w->early.len > 0) {
		count = (ssize_t)(w->early.len < len ? w->early.len : len);
		memcpy(to, w->early.data, (size_t)count);
		buf_consume(&w->early, (size_t)count);
		if (w->early.len == 0)
			buf_done(&w->early);
		return count;
	}
	count = stream_read(w->lower, to, len);
	if (count == STREAM_FAILED)
		return fail_below(w);
	if (count != STREAM_END)
		return count;
	(void)err_set(&e, ERR_RESET, "the WebSocket was cut off without being closed");
	return stream_fail(&w->stream, &e);
}

/* Who has both ends closes: so not before all has left. Once given it stays, even if the peer is lost afterwards. */
static int give_end(struct ws_stream *w)
{
	int result = STREAM_END;

	if (!w->gave_end && w->is_shut)
		result = w->stream.err ? STREAM_FAILED : shut_lower(w);
	w->gave_end = result == STREAM_END;
	return result;
}

static ssize_t ws_stream_read(struct stream *s, void *to, size_t len)
{
	struct ws_stream *w = from_stream(s);

	for (int i = 0; i < READS_IN_A_ROW; i++) {
		ssize_t count;

		if (w->has_end)
			return give_end(w);
		if (s->err)
			return STREAM_FAILED;
		count = fetch(w, to, len);
		if (count < 0)
			return count;
		w->was_active = true;
		count = (ssize_t)decode(w, to, (size_t)count);
		if (count > 0)
			return count;
	}
	tell_later(w); /* there may be more, but others want their turn */
	return STREAM_AGAIN;
}

/* ---- the rest ---- */

static void tell(struct ws_stream *w, unsigned events)
{
	if (w->stream.on_event)
		w->stream.on_event(w->stream.arg, events);
}

static void on_later(struct later *later)
{
	struct ws_stream *w = container_of(later, struct ws_stream, later);
	bool tells = w->tells_later;

	w->tells_later = false;
	if ((!w->stream.err && flush(w) == STREAM_FAILED) || tells)
		tell(w, STREAM_READABLE | STREAM_WRITABLE);
}

static void on_lower_event(void *arg, unsigned events)
{
	struct ws_stream *w = arg;

	if ((events & STREAM_WRITABLE) && !w->stream.err)
		(void)flush(w); /* a failure is told by the next call */
	if ((events & STREAM_READABLE) && w->has_end && !w->stream.err)
		watch_for_end(w);
	if ((events & STREAM_WRITABLE) && w->has_end)
		events |= STREAM_READABLE; /* the end may have waited for that */
	tell(w, events);
}

static void on_ping_due(struct timer *timer)
{
	struct ws_stream *w = container_of(timer, struct ws_stream, ping);

	if (w->is_shut || w->stream.err)
		return;
	if (!w->was_active && ws_out_is_empty(&w->out))
		ws_out_append_control(&w->out, WS_PING, NULL, 0);
	w->was_active = false;
	timer_start(&w->ping, w->loop, loop_now_ms(w->loop) + WS_STREAM_PING_MS, on_ping_due);
	if (flush(w) == STREAM_FAILED)
		tell(w, STREAM_READABLE | STREAM_WRITABLE);
}

static void ws_stream_close(struct stream *s, enum stream_close how)
{
	struct ws_stream *w = from_stream(s);

	if (!w->lower)
		return;
	s->on_event = NULL;
	later_cancel(&w->later);
	timer_cancel(&w->ping);
	if (!s->err && how == STREAM_CLOSE_NORMAL)
		tell_problem(w, WS_CLOSE_GOING_AWAY, "");
	if (!s->err && how == STREAM_CLOSE_RESET)
		tell_problem(w, w->reset_code, w->reset_reason);
	/* A reset would take away what was said. */
	stream_close(TAKE(w->lower), w->told_problem ? STREAM_CLOSE_NORMAL : how);
	ws_out_done(&w->out);
	buf_done(&w->early);
	loop_free_later(w->loop, TAKE(s->err));
	loop_free_later(w->loop, w);
}

static const struct stream_ops ws_stream_ops = {
	.read = ws_stream_read,
	.write = ws_stream_write,
	.shutdown = ws_stream_shutdown,
	.close = ws_stream_close,
};

static struct ws_stream *new_stream(struct loop *loop, struct stream *lower, struct buf *early)
{
	struct ws_stream *w = mem_alloc(sizeof(*w));

	w->stream.ops = &ws_stream_ops;
	w->loop = loop;
	w->lower = lower;
	w->out.lower = lower;
	w->reset_code = WS_CLOSE_INTERNAL_ERROR;
	w->reset_reason = "";
	ws_account_init(&w->account, loop_now_ms(loop));
	buf_move(&w->early, early);
	if (w->early.len == 0)
		buf_done(&w->early); /* memory without contents is not kept */
	stream_set_owner(lower, on_lower_event, w);
	return w;
}

struct stream *ws_stream_server(struct loop *loop, struct stream *lower, struct buf *head,
				struct buf *early)
{
	struct ws_stream *w = new_stream(loop, lower, early);

	w->reader.expects_mask = true;
	buf_move(&w->out.unsent, head);
	later_start(&w->later, loop, on_later);
	return &w->stream;
}

struct stream *ws_stream_client(struct loop *loop, struct stream *lower, struct buf *early)
{
	struct ws_stream *w = new_stream(loop, lower, early);

	w->out.masks = true;
	timer_start(&w->ping, loop, loop_now_ms(loop) + WS_STREAM_PING_MS, on_ping_due);
	return &w->stream;
}

void ws_stream_explain(struct stream *s, enum ws_close_code code, const char *reason)
{
	struct ws_stream *w = from_stream(s);

	w->reset_code = code;
	w->reset_reason = reason;
}
