#include "http/h2_client.h"

#include <assert.h>

#include "base/mem.h"
#include "http/h2_stream.h"

#define REQUEST_HEADERS_MAX 16

struct h2_client {
	struct h2_session session; /* first: it releases the memory */
	void (*on_closed)(void *arg, const struct err *e);
	void *arg;
	struct timer silence;
};

static_assert(offsetof(struct h2_client, session) == 0, "h2_session_release() frees it");

struct h2_connect {
	struct h2_message message;
	struct h2_stream *stream;
	struct loop *loop;
	struct timer timer;
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e);
	void *arg;
};

static struct h2_client *client_of(struct h2_session *s)
{
	return container_of(s, struct h2_client, session);
}

/* ---- questions ---- */

static void forget(struct h2_connect *q)
{
	timer_cancel(&q->timer);
	h2_head_done(&q->message.head);
	loop_free_later(q->loop, q);
}

static void finish_failed(struct h2_connect *q, const struct err *e)
{
	struct h2_stream *st = TAKE(q->stream);
	struct err copy = *e;

	h2_stream_reset(st, NGHTTP2_CANCEL);
	q->on_done(q->arg, NULL, &copy);
	forget(q);
}

static void handle_failure(struct h2_connect *q)
{
	struct err e = *stream_error(&q->stream->stream);

	if (q->stream->was_refused)
		e.kind = ERR_CLOSED;
	finish_failed(q, &e);
}

static void handle_answer(struct h2_connect *q)
{
	struct connect_result result = { 0 };
	struct h2_stream *st = q->stream;
	struct err e;

	if (h2_head_response(&q->message.head, &result.status, &result.headers, &e) < 0) {
		finish_failed(q, &e);
		return;
	}
	q->stream = NULL;
	if (result.status == 200)
		result.stream = h2_stream_hand_over(st);
	else /* nothing in the body of a refusal is needed */
		h2_stream_reset(st, NGHTTP2_CANCEL);
	timer_cancel(&q->timer);
	q->on_done(q->arg, &result, NULL);
	forget(q);
}

static void on_question_change(struct h2_message *m, struct h2_stream *st)
{
	struct h2_connect *q = container_of(m, struct h2_connect, message);

	if (m->has_head)
		handle_answer(q);
	else if (st->is_failed)
		handle_failure(q);
}

static void on_question_due(struct timer *timer)
{
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "no answer in time");
	finish_failed(container_of(timer, struct h2_connect, timer), &e);
}

/* nghttp2 copies. */
static nghttp2_nv field(struct str name, struct str value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.at,
			     .namelen = name.len,
			     .value = (uint8_t *)(uintptr_t)value.at,
			     .valuelen = value.len };
}

static int32_t submit(struct h2_client *c, struct h2_stream *st,
		      const struct connect_request *request)
{
	const nghttp2_data_provider provider = h2_stream_provider(st);
	nghttp2_nv fields[REQUEST_HEADERS_MAX];
	size_t count = 0;

	assert(request->header_count + 2 <= REQUEST_HEADERS_MAX);
	fields[count++] = field(STR(":method"), STR("CONNECT"));
	fields[count++] = field(STR(":authority"), request->target);
	for (size_t i = 0; i < request->header_count; i++)
		fields[count++] = field(request->headers[i].name, request->headers[i].value);
	return nghttp2_submit_request(c->session.ng, NULL, fields, count, &provider, st);
}

/* ---- is it still there? ---- */

static void on_silence(struct timer *timer)
{
	struct h2_client *c = container_of(timer, struct h2_client, silence);
	struct err e;

	if (c->session.heard_ms + H2_CLIENT_PING_MS > loop_now_ms(c->session.loop))
		return;
	(void)err_set(&e, ERR_TIMEOUT, "the connection gives no sign of life");
	h2_session_terminate(&c->session, NGHTTP2_NO_ERROR, &e);
}

static void ask_for_life(struct h2_client *c)
{
	struct h2_session *s = &c->session;
	uint64_t now_ms = loop_now_ms(s->loop);

	if (s->heard_ms + H2_CLIENT_SILENCE_MS > now_ms || timer_is_started(&c->silence))
		return;
	(void)nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL); /* memory only */
	timer_start(&c->silence, s->loop, now_ms + H2_CLIENT_PING_MS, on_silence);
}

struct h2_connect *h2_client_connect(struct h2_client *c, const struct connect_request *request,
				     void (*on_done)(void *arg, struct connect_result *result,
						     const struct err *e),
				     void *arg)
{
	struct h2_session *s = &c->session;
	struct h2_connect *q = mem_alloc(sizeof(*q));
	struct err e;
	int32_t id;

	assert(h2_client_takes_more(c));
	q->message.on_change = on_question_change;
	h2_head_init(&q->message.head);
	q->loop = s->loop;
	q->on_done = on_done;
	q->arg = arg;
	q->stream = h2_stream_new(s, 0, &q->message);
	timer_start(&q->timer, s->loop, loop_now_ms(s->loop) + request->timeout_ms,
		    on_question_due);
	ask_for_life(c);
	id = submit(c, q->stream, request);
	if (id > 0) {
		q->stream->id = id;
	} else { /* no ids are left */
		(void)err_set(&e, ERR_LIMIT, "the connection is used up");
		h2_stream_closed(q->stream, NGHTTP2_REFUSED_STREAM);
	}
	h2_session_wake(s);
	return q;
}

void h2_connect_cancel(struct h2_connect *q)
{
	if (!q || !q->stream)
		return;
	h2_stream_reset(TAKE(q->stream), NGHTTP2_CANCEL);
	forget(q);
}

/* ---- the connection ---- */

bool h2_client_takes_more(const struct h2_client *c)
{
	const struct h2_session *s = &c->session;

	return s->state == H2_RUNNING && !s->peer_is_going &&
	       nghttp2_session_check_request_allowed(s->ng) &&
	       s->live_count < nghttp2_session_get_remote_settings(
				       s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

static void on_change(struct h2_session *session)
{
}

static void on_over(struct h2_session *session, const struct err *e)
{
	struct h2_client *c = client_of(session);

	timer_cancel(&c->silence);
	c->on_closed(c->arg, e);
}

static const struct h2_role client_role = {
	.on_change = on_change,
	.on_over = on_over,
};

struct h2_client *h2_client_open(struct loop *loop, struct stream *stream,
				 void (*on_closed)(void *arg, const struct err *e), void *arg)
{
	static const nghttp2_settings_entry no_push = { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
	struct h2_client *c = mem_alloc(sizeof(*c));

	h2_session_init(&c->session, loop, stream, &client_role, &no_push);
	c->on_closed = on_closed;
	c->arg = arg;
	return c;
}

void h2_client_close(struct h2_client *c)
{
	if (!c)
		return;
	timer_cancel(&c->silence);
	h2_session_close(&c->session, STREAM_CLOSE_NORMAL);
}
