/*
 * Bytes lie in two buffers, in and out, that exist only while there are any. nghttp2 takes from out when the windows
 * admit it (the provider), and is told of room in the stream's window when the reader has taken from in.
 *
 * A stream leaves nghttp2 in on_stream_close, and its memory when its owner has closed it: whichever comes first, the
 * other finds it marked (is_live). An orphan has no owner; it goes as soon as it is not live.
 */

#include "http/h2_stream.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define OUT_LOW  (H2_OUT_MAX / 2) /* with no more than that left, the writer is told */
#define GROW_MS  200
#define BULK_MIN 4096

#define PASS_MIN    16384 /* less is worth more if it goes with others */
#define USUAL_FRAME 16384

static const struct stream_ops h2_stream_ops;

struct h2_stream *h2_stream_from(struct stream *stream)
{
	return container_of(stream, struct h2_stream, stream);
}

struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id, struct h2_message *message)
{
	struct h2_stream *st = mem_alloc(sizeof(*st));

	*st = (struct h2_stream){
		.stream = { .ops = &h2_stream_ops },
		.session = s,
		.message = message,
		.in = BUF_INIT(H2_WINDOW_MAX),
		.out = BUF_INIT(H2_OUT_MAX),
		.id = id,
		.window = H2_WINDOW,
		.is_live = true,
	};
	list_append(&s->streams, &st->in_session);
	s->live_count++;
	s->told_count = SIZE_MAX; /* it is news even if it goes before anybody was told */
	return st;
}

static void drop_received(struct h2_stream *st)
{
	if (st->lent_len > 0)
		h2_lent_forget(st->session->transit.lent, st);
	buf_done_secret(&st->in);
}

static void destroy(struct h2_stream *st)
{
	struct h2_session *s = st->session;

	if (st->is_orphan)
		s->answers_left -= st->out.len - st->out_at;
	list_remove(&st->in_session);
	list_remove(&st->in_due);
	drop_received(st);
	buf_done_secret(&st->out);
	loop_free_later(s->loop, TAKE(st->stream.err));
	loop_free_later(s->loop, st);
	h2_session_release(s);
}

/* ---- telling ---- */

static void make_due(struct h2_stream *st)
{
	if (!list_node_is_linked(&st->in_due))
		list_append(&st->session->due, &st->in_due);
	h2_session_wake(st->session);
}

void h2_stream_note(struct h2_stream *st, unsigned events)
{
	if (st->is_orphan)
		return;
	if (st->message) {
		make_due(st);
		return;
	}
	events &= st->wanted;
	if (events == 0)
		return;
	st->wanted = (unsigned short)(st->wanted & ~events);
	st->events = (unsigned short)(st->events | events);
	make_due(st);
}

void h2_stream_tell(struct h2_stream *st)
{
	unsigned events = st->events;

	list_remove(&st->in_due);
	st->events = 0;
	if (st->message)
		st->message->on_change(st->message, st);
	else if (events && st->stream.on_event)
		st->stream.on_event(st->stream.arg, events);
}

/* ---- what nghttp2 says ---- */

void h2_stream_receive(struct h2_stream *st, const uint8_t *data, size_t len)
{
	struct h2_session *s = st->session;

	if (st->is_orphan) {
		/* So that a body nobody wants does not stop: the end of the answer comes first, then the reset. */
		(void)nghttp2_session_consume_stream(s->ng, st->id, len);
		return;
	}
	if (!s->transit.lent || !h2_lent_add(s->transit.lent, st, data, len)) {
		if (st->lent_len > 0) /* in order */
			h2_lent_return(s->transit.lent, st);
		h2_stream_keep(st, data, len);
	}
	h2_stream_note(st, STREAM_READABLE);
}

void h2_stream_keep(struct h2_stream *st, const uint8_t *data, size_t len)
{
	/* Much at once is followed by more: room for it, instead of moving what is there. */
	if (st->in.len == 0 && len >= BULK_MIN)
		(void)buf_reserve(&st->in, H2_WINDOW);
	/* The window is held by nghttp2; H2_WINDOW_MAX is above every window. */
	(void)buf_append(&st->in, data, len);
}

void h2_stream_fail(struct h2_stream *st, const struct err *e)
{
	if (st->is_failed)
		return;
	st->is_failed = true;
	(void)stream_fail(&st->stream, e);
	buf_done_secret(&st->out);
	st->out_at = 0;
	if (!st->has_end)
		drop_received(st);
	st->wanted |= st->message ? 0 : STREAM_READABLE | STREAM_WRITABLE;
	h2_stream_note(st, STREAM_READABLE | STREAM_WRITABLE);
}

void h2_stream_closed(struct h2_stream *st, uint32_t code)
{
	struct h2_session *s = st->session;
	struct err e;

	if (!st->is_live)
		return;
	st->is_live = false;
	s->live_count--;
	s->growth_left += st->window - H2_WINDOW;
	st->was_refused = code == NGHTTP2_REFUSED_STREAM;
	if (st->is_orphan) {
		destroy(st);
		return;
	}
	if (st->has_end && st->is_shut_sent && code == NGHTTP2_NO_ERROR)
		return;
	(void)err_set(&e, ERR_RESET, "the other end has reset the stream (%s)",
		      nghttp2_http2_strerror(code));
	h2_stream_fail(st, &e);
}

/* ---- what is sent ---- */

static size_t unsent(const struct h2_stream *st)
{
	const struct h2_passed *passed = &st->session->transit.passed;

	return st->out.len - st->out_at + (passed->stream == st ? passed->len : 0);
}

/*
 * Says what the next frame may hold; the bytes are taken by h2_stream_send(). With the last of them the source is done, be it
 * the end of the stream or not: the next bytes get a new one.
 */
static ssize_t provide(nghttp2_session *ng, int32_t id, uint8_t *to, size_t len, uint32_t *flags,
		       nghttp2_data_source *source, void *user_data)
{
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);
	size_t left;

	if (!st) /* reset by us; the frame that says so comes first */
		return NGHTTP2_ERR_DEFERRED;
	left = unsent(st);
	if (left == 0 && !st->is_shut) {
		st->is_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (left <= len) {
		st->is_source_done = true;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		*flags |= st->is_shut ? 0 : NGHTTP2_DATA_FLAG_NO_END_STREAM;
	}
	return (ssize_t)(left < len ? left : len);
}

static void drop_sent(struct h2_stream *st)
{
	if (st->is_orphan)
		buf_done_secret(&st->out); /* an answer, with a token perhaps */
	else
		buf_done(&st->out);
	st->out_at = 0;
}

static void send_passed(struct h2_stream *st, struct h2_batch *to, size_t len)
{
	struct h2_passed *passed = &st->session->transit.passed;

	h2_batch_lend(to, passed->at, len);
	passed->at += len;
	passed->len -= len;
}

void h2_stream_send(struct h2_stream *st, struct h2_batch *to, size_t len)
{
	size_t from_out = st->out.len - st->out_at;

	if (from_out > len)
		from_out = len;
	if (from_out > 0)
		h2_batch_copy(to, st->out.data + st->out_at, from_out);
	st->out_at += (uint32_t)from_out;
	if (len > from_out)
		send_passed(st, to, len - from_out);
	if (st->is_orphan) {
		st->session->answers_left -= len;
		st->answer_ms = loop_now_ms(st->session->loop);
	}
	h2_budget_earn(&st->session->budgets, H2_BUDGET_WINDOWS,
		       2 * (1 + (uint32_t)(len > 0 ? len - 1 : 0) / USUAL_FRAME));
	if (st->out_at == st->out.len)
		drop_sent(st);
	if (!st->message && st->out.len - st->out_at <= OUT_LOW)
		h2_stream_note(st, STREAM_WRITABLE);
}

nghttp2_data_provider h2_stream_provider(struct h2_stream *st)
{
	st->has_source = true;
	return (nghttp2_data_provider){ .read_callback = provide };
}

static void offer_source(struct h2_stream *st)
{
	const nghttp2_data_provider provider = h2_stream_provider(st);

	/* live, and without a source: memory only */
	(void)nghttp2_submit_data(st->session->ng, NGHTTP2_FLAG_END_STREAM, st->id, &provider);
}

/* Something was written after the source had said how much there is. */
void h2_stream_sent(struct h2_stream *st)
{
	if (!st->is_source_done)
		return;
	st->is_source_done = false;
	st->has_source = false;
	if (unsent(st) > 0)
		offer_source(st);
}

static void resume(struct h2_stream *st)
{
	if (!st->has_source && st->is_live) {
		offer_source(st);
	} else if (st->is_deferred) {
		st->is_deferred = false;
		(void)nghttp2_session_resume_data(st->session->ng, st->id); /* live: cannot fail */
	}
	h2_session_wake(st->session);
}

/* ---- the stream ---- */

/* A reader that takes a whole window in GROW_MS and leaves nothing may be waiting for the path: it gets more under way. */
static void grow(struct h2_stream *st, size_t len)
{
	struct h2_session *s = st->session;
	uint64_t now_ms = loop_now_ms(s->loop);

	if (st->in.len > 0 || st->lent_len > 0 || now_ms - st->pace.since_ms > GROW_MS) {
		st->pace.taken = 0;
		st->pace.since_ms = now_ms;
		return;
	}
	st->pace.taken += (uint32_t)len;
	if (st->pace.taken < st->window || st->window == H2_WINDOW_MAX ||
	    s->growth_left < st->window)
		return;
	st->pace.taken = 0;
	s->growth_left -= st->window;
	st->window *= 2;
	(void)nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, st->id,
						    (int32_t)st->window); /* live: cannot fail */
}

static void give_window_back(struct h2_stream *st, size_t len)
{
	if (!st->is_live || st->has_end)
		return;
	(void)nghttp2_session_consume_stream(st->session->ng, st->id, len); /* memory only */
	grow(st, len);
	h2_session_wake(st->session);
}

static size_t take_kept(struct h2_stream *st, void *to, size_t len)
{
	if (len > st->in.len)
		len = st->in.len;
	memcpy(to, st->in.data, len);
	if (len == st->in.len && st->message)
		buf_done_secret(&st->in); /* a form, with a password perhaps */
	else if (len == st->in.len)
		buf_done(&st->in);
	else
		buf_consume(&st->in, len);
	return len;
}

static ssize_t read_stream(struct stream *stream, void *to, size_t len)
{
	struct h2_stream *st = h2_stream_from(stream);
	size_t done = 0;

	if (st->in.len > 0)
		done = take_kept(st, to, len);
	if (st->lent_len > 0 && done < len)
		done += h2_lent_take(st->session->transit.lent, st, (uint8_t *)to + done,
				     len - done);
	if (done > 0) {
		give_window_back(st, done);
		return (ssize_t)done;
	}
	if (st->has_end)
		return STREAM_END;
	if (st->is_failed)
		return STREAM_FAILED;
	st->wanted |= STREAM_READABLE;
	return STREAM_AGAIN;
}

/* Much is not copied but sent from where it lies, as far as the windows and the lower stream admit it now. */
static size_t pass_on(struct h2_stream *st, const uint8_t *from, size_t len)
{
	struct h2_session *s = st->session;

	if (len < PASS_MIN || st->out.len > 0 || !st->is_live || s->state != H2_RUNNING ||
	    s->unsent.len > 0)
		return 0;
	s->transit.passed = (struct h2_passed){ .stream = st, .at = from, .len = len };
	resume(st);
	h2_session_write_now(s);
	len -= s->transit.passed.len;
	s->transit.passed = (struct h2_passed){ 0 };
	return len;
}

static size_t keep_unsent(struct h2_stream *st, const uint8_t *from, size_t len)
{
	size_t room = H2_OUT_MAX - st->out.len;

	if (len > room)
		len = room;
	if (st->out.len == 0 && len >= BULK_MIN)
		(void)buf_reserve(&st->out, H2_OUT_MAX);
	(void)buf_append(&st->out, from, len); /* there is room */
	return len;
}

static ssize_t write_stream(struct stream *stream, const struct iovec *iov, int count)
{
	struct h2_stream *st = h2_stream_from(stream);
	size_t done = 0;

	if (st->is_failed)
		return STREAM_FAILED;
	assert(!st->is_shut);
	if (st->out_at > 0) {
		buf_consume(&st->out, st->out_at);
		st->out_at = 0;
	}
	for (int i = 0; i < count; i++) {
		const uint8_t *from = iov[i].iov_base;
		size_t passed = pass_on(st, from, iov[i].iov_len);

		done += passed + keep_unsent(st, from + passed, iov[i].iov_len - passed);
	}
	if (st->is_failed)
		return STREAM_FAILED;
	if (done == 0) {
		st->wanted |= STREAM_WRITABLE;
		return STREAM_AGAIN;
	}
	resume(st);
	return (ssize_t)done;
}

static int shut_stream(struct stream *stream)
{
	struct h2_stream *st = h2_stream_from(stream);

	if (st->is_failed)
		return STREAM_FAILED;
	if (st->is_shut_sent)
		return STREAM_END;
	if (!st->is_shut) {
		st->is_shut = true;
		resume(st);
	}
	st->wanted |= STREAM_WRITABLE;
	return STREAM_AGAIN;
}

static void close_stream(struct stream *stream, enum stream_close how)
{
	struct h2_stream *st = h2_stream_from(stream);

	if (how == STREAM_CLOSE_RESET)
		h2_stream_reset(st, NGHTTP2_CANCEL);
	else
		h2_stream_abandon(st);
}

static const struct stream_ops h2_stream_ops = {
	.read = read_stream,
	.write = write_stream,
	.shutdown = shut_stream,
	.close = close_stream,
};

/* ---- owners come and go ---- */

struct stream *h2_stream_hand_over(struct h2_stream *st)
{
	st->message = NULL;
	list_remove(&st->in_due);
	return &st->stream;
}

void h2_stream_reset(struct h2_stream *st, uint32_t code)
{
	struct h2_session *s = st->session;

	st->message = NULL;
	if (!st->is_live) {
		destroy(st);
		return;
	}
	(void)nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, code); /* memory only */
	(void)nghttp2_session_set_stream_user_data(s->ng, st->id, NULL);
	st->is_live = false;
	s->live_count--;
	s->growth_left += st->window - H2_WINDOW;
	h2_session_wake(s);
	destroy(st);
}

static void drop_unread(struct h2_stream *st)
{
	size_t len = st->in.len + st->lent_len;

	drop_received(st);
	if (len > 0 && !st->has_end)
		(void)nghttp2_session_consume_stream(st->session->ng, st->id, len);
}

void h2_stream_abandon(struct h2_stream *st)
{
	struct h2_session *s = st->session;

	st->message = NULL;
	if (!st->is_live) {
		destroy(st);
		return;
	}
	list_remove(&st->in_due);
	drop_unread(st);
	st->is_orphan = true;
	st->is_shut = true;
	st->answer_ms = loop_now_ms(s->loop);
	s->answers_left += st->out.len - st->out_at;
	if (st->is_shut_sent)
		(void)nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id,
						NGHTTP2_NO_ERROR); /* memory only */
	resume(st);
	h2_session_watch_answers(s);
}
