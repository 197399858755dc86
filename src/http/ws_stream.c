/*
 * Sending: a write is one message of one frame. What the lower stream does not take of it at once is kept, and while there is
 * something kept nothing more is accepted; control frames wait until then as well. So there is never more than one frame here,
 * and no other one gets into its middle.
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
#include "base/random.h"
#include "http/ws_iov.h"

#define READS_IN_A_ROW 16
#define CLOSE_LEN      2
#define GONE_READ      1024

struct ws_stream {
	struct stream stream;
	struct stream *lower;
	struct loop *loop;
	struct ws_reader reader;
	struct buf unsent; /* frames, and the head before them; empty once all has left */
	size_t unsent_at; /* what of it has left: moved up it would be as often as a slow peer wants */
	struct buf early; /* frames that were received before us */
	struct later later;
	struct timer ping; /* of a client */
	struct ws_account account;
	uint8_t pong_len;
	uint8_t pong[WS_CONTROL_MAX];
	bool is_client;
	bool owes_pong;
	bool is_shut;  /* our close was sent, or is in unsent */
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

static size_t begin_frame(struct ws_stream *w, uint8_t *header, enum ws_opcode opcode, size_t len,
			  uint8_t mask[WS_MASK_LEN])
{
	if (w->is_client)
		random_bytes(mask, WS_MASK_LEN);
	return ws_frame_write_header(header, opcode, len, w->is_client ? mask : NULL);
}

/* Behind what is unsent. */
static void append_control(struct ws_stream *w, enum ws_opcode opcode, const uint8_t *payload,
			   size_t len)
{
	uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX];
	uint8_t mask[WS_MASK_LEN] = { 0 };
	size_t at = begin_frame(w, frame, opcode, len, mask);

	if (len > 0)
		ws_mask(frame + at, payload, len, mask, 0);
	w->unsent.max = w->unsent.len + at + len;
	(void)buf_append(&w->unsent, frame, at + len); /* fits */
}

static void append_close(struct ws_stream *w, enum ws_close_code code)
{
	const uint8_t payload[CLOSE_LEN] = { (uint8_t)(code >> 8), (uint8_t)(code & 0xff) };

	append_control(w, WS_CLOSE, payload, sizeof(payload));
	w->is_shut = true;
	w->owes_pong = false;
}

/* STREAM_END when nothing is left. */
static int flush(struct ws_stream *w)
{
	for (;;) {
		while (w->unsent_at < w->unsent.len) {
			ssize_t count = stream_write(w->lower, w->unsent.data + w->unsent_at,
						     w->unsent.len - w->unsent_at);

			if (count == STREAM_AGAIN)
				return STREAM_AGAIN;
			if (count < 0)
				return fail_below(w);
			w->unsent_at += (size_t)count;
		}
		buf_done(&w->unsent);
		w->unsent_at = 0;
		if (!w->owes_pong)
			return STREAM_END;
		append_control(w, WS_PONG, w->pong, w->pong_len);
		w->owes_pong = false;
	}
}

/* A whole frame: accepted as soon as its first byte is. */
static ssize_t write_frame(struct ws_stream *w, const struct iovec *iov, int count, size_t len)
{
	ssize_t taken = stream_writev(w->lower, iov, count);

	if (taken == STREAM_FAILED)
		return fail_below(w);
	if (taken < 0)
		return taken;
	w->was_active = true;
	w->unsent.max = WS_HEADER_MAX + WS_STREAM_WRITE_MAX;
	ws_iov_keep(&w->unsent, iov, count, (size_t)taken);
	return flush(w) == STREAM_FAILED ? STREAM_FAILED : (ssize_t)len;
}

static ssize_t write_plain(struct ws_stream *w, const struct iovec *iov, int count)
{
	uint8_t header[WS_HEADER_MAX];
	struct iovec frame[1 + WS_IOV_MAX];
	size_t len = ws_iov_limit(frame + 1, iov, &count, WS_STREAM_WRITE_MAX);

	if (len == 0)
		return 0;
	frame[0].iov_base = header;
	frame[0].iov_len = begin_frame(w, header, WS_BINARY, len, NULL);
	return write_frame(w, frame, 1 + count, len);
}

static ssize_t write_masked(struct ws_stream *w, const struct iovec *iov, int count)
{
	struct iovec parts[WS_IOV_MAX];
	uint8_t mask[WS_MASK_LEN];
	size_t len = ws_iov_limit(parts, iov, &count, WS_STREAM_WRITE_MAX);
	struct iovec frame;
	ssize_t result;
	uint8_t *block;
	size_t at;

	if (len == 0)
		return 0;
	block = loop_block_get(w->loop);
	at = begin_frame(w, block, WS_BINARY, len, mask);
	frame = (struct iovec){ .iov_base = block, .iov_len = at + len };
	for (size_t i = 0, done = 0; i < (size_t)count; done += parts[i++].iov_len)
		ws_mask(block + at + done, parts[i].iov_base, parts[i].iov_len, mask, done);
	result = write_frame(w, &frame, 1, len);
	loop_block_put(w->loop, block);
	return result;
}

static ssize_t ws_stream_write(struct stream *s, const struct iovec *iov, int count)
{
	struct ws_stream *w = from_stream(s);
	int result;

	if (s->err)
		return STREAM_FAILED;
	assert(!w->is_shut);
	result = flush(w);
	if (result != STREAM_END)
		return result;
	return w->is_client ? write_masked(w, iov, count) : write_plain(w, iov, count);
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
		append_close(w, WS_CLOSE_NORMAL);
	return shut_lower(w);
}

/* ---- reading ---- */

static int fail(struct ws_stream *w, enum ws_close_code code, const struct err *e)
{
	if (!w->is_shut && w->unsent.len == 0) {
		append_close(w, code);
		w->told_problem = flush(w) == STREAM_END;
	}
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
	if (!w->was_active && w->unsent.len == 0)
		append_control(w, WS_PING, NULL, 0);
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
	if (how == STREAM_CLOSE_NORMAL && !s->err && !w->is_shut && w->unsent.len == 0) {
		append_close(w, WS_CLOSE_GOING_AWAY);
		(void)flush(w); /* as far as it goes */
	}
	/* A reset would take away what was said. */
	stream_close(TAKE(w->lower), w->told_problem ? STREAM_CLOSE_NORMAL : how);
	buf_done(&w->unsent);
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
	buf_move(&w->unsent, head);
	later_start(&w->later, loop, on_later);
	return &w->stream;
}

struct stream *ws_stream_client(struct loop *loop, struct stream *lower, struct buf *early)
{
	struct ws_stream *w = new_stream(loop, lower, early);

	w->is_client = true;
	timer_start(&w->ping, loop, loop_now_ms(loop) + WS_STREAM_PING_MS, on_ping_due);
	return &w->stream;
}
