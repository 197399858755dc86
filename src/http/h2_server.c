/*
 * A call is the message of its stream (h2_stream.h) until it is answered:
 *
 *	HEAD -> [BODY ->] ANSWERING -> gone; the stream is a tunnel then, or an orphan that sends what is left
 */

#include "http/h2_server.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/h2_stream.h"

#define RESPONSE_HEADERS_MAX 64

struct h2_server {
	struct h2_session session; /* first: it releases the memory */
	const struct h2_server_events *events;
	void *arg;
	uint64_t head_timeout_ms;
	uint64_t idle_timeout_ms;
	struct timer timer; /* while there is no stream */
	struct list calls;
};

static_assert(offsetof(struct h2_server, session) == 0, "h2_session_release() frees it");

enum call_state { CALL_HEAD, CALL_BODY, CALL_ANSWERING };

struct h2_call {
	struct h2_message message;
	struct list_node in_server;
	struct h2_server *server;
	struct h2_stream *stream;
	enum call_state state;
	struct http_request request;
	struct buf body;
	struct timer timer;
	void *owner;
};

static struct h2_server *server_of(struct h2_session *s)
{
	return container_of(s, struct h2_server, session);
}

/* ---- calls ---- */

static void forget_call(struct h2_call *call)
{
	timer_cancel(&call->timer);
	list_remove(&call->in_server);
	h2_head_done(&call->message.head);
	buf_done_secret(&call->body);
	loop_free_later(call->server->session.loop, call);
}

static void refuse(struct h2_call *call, int status, const struct err *e)
{
	timer_cancel(&call->timer);
	call->state = CALL_ANSWERING;
	call->server->events->on_bad_request(call->server->arg, call, status, e);
}

static void on_call_due(struct timer *timer)
{
	struct h2_call *call = container_of(timer, struct h2_call, timer);
	struct err e;

	if (call->state == CALL_ANSWERING) {
		call->server->events->on_late(call->owner);
		return;
	}
	(void)err_set(&e, ERR_TIMEOUT, "the client took too long");
	refuse(call, 408, &e);
}

static void deliver(struct h2_call *call)
{
	if (!call->request.is_connect || !call->server->events->on_late)
		timer_cancel(&call->timer);
	call->request.body = buf_view(&call->body);
	call->state = CALL_ANSWERING;
	call->server->events->on_request(call->server->arg, call, &call->request);
}

static void read_body(struct h2_call *call)
{
	struct err e;

	for (;;) {
		uint8_t *to = buf_reserve(&call->body, 1);
		size_t room = call->body.max - call->body.len;
		ssize_t got;

		if (to && room > call->body.cap - call->body.len)
			room = call->body.cap - call->body.len;
		if (!to) {
			(void)err_set(&e, ERR_LIMIT, "the body is larger than %u bytes",
				      HTTP_BODY_MAX);
			refuse(call, 413, &e);
			return;
		}
		got = stream_read(&call->stream->stream, to, room);
		if (got == STREAM_END)
			deliver(call);
		if (got <= 0)
			return;
		buf_commit(&call->body, (size_t)got);
	}
}

static void begin_request(struct h2_call *call)
{
	struct err e;
	int status = h2_head_request(&call->message.head, &call->request, &e);

	if (status != 0) {
		refuse(call, status, &e);
		return;
	}
	if (call->request.is_connect) {
		deliver(call);
		return;
	}
	call->state = CALL_BODY;
	read_body(call);
}

static void lose_call(struct h2_call *call)
{
	const struct h2_server_events *events = call->server->events;
	void *owner = call->owner;
	struct err e = *stream_error(&call->stream->stream);

	h2_stream_abandon(call->stream);
	forget_call(call);
	if (owner)
		events->on_gone(owner, &e);
}

static void on_call_change(struct h2_message *m, struct h2_stream *st)
{
	struct h2_call *call = container_of(m, struct h2_call, message);

	if (st->is_failed)
		lose_call(call);
	else if (call->state == CALL_HEAD && m->has_head)
		begin_request(call);
	else if (call->state == CALL_BODY)
		read_body(call);
}

static struct h2_stream *begin(struct h2_session *session, int32_t id)
{
	struct h2_server *s = server_of(session);
	struct h2_call *call = mem_alloc(sizeof(*call));

	call->server = s;
	call->body = BUF_INIT(HTTP_BODY_MAX + 1); /* one more: to see that it is more */
	call->message.on_change = on_call_change;
	h2_head_init(&call->message.head);
	call->stream = h2_stream_new(session, id, &call->message);
	list_append(&s->calls, &call->in_server);
	if (s->head_timeout_ms > 0)
		timer_start(&call->timer, session->loop,
			    loop_now_ms(session->loop) + s->head_timeout_ms, on_call_due);
	return call->stream;
}

void h2_call_set_owner(struct h2_call *call, void *owner)
{
	call->owner = owner;
}

/* ---- answers ---- */

struct answer {
	nghttp2_nv fields[RESPONSE_HEADERS_MAX];
	size_t count;
	char status[16];
	char length[24];
	char date[CLOCK_HTTP_DATE_MAX];
};

/* nghttp2 copies, with names in lower case. */
static void add_field(struct answer *a, struct str name, struct str value)
{
	assert(a->count < RESPONSE_HEADERS_MAX);
	a->fields[a->count++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.at,
					      .namelen = name.len,
					      .value = (uint8_t *)(uintptr_t)value.at,
					      .valuelen = value.len };
}

static void fill_answer(struct answer *a, const struct http_response *response, bool has_length)
{
	a->count = 0;
	(void)snprintf(a->status, sizeof(a->status), "%d", response->status);
	add_field(a, STR(":status"), str_from(a->status));
	for (size_t i = 0; i < response->header_count; i++)
		add_field(a, response->headers[i].name, response->headers[i].value);
	clock_format_http_date(clock_now_unix(), a->date);
	add_field(a, STR("date"), str_from(a->date));
	if (!has_length)
		return;
	(void)snprintf(a->length, sizeof(a->length), "%zu", response->body.len);
	add_field(a, STR("content-length"), str_from(a->length));
}

static void submit(struct h2_stream *st, const struct answer *a, bool has_data)
{
	nghttp2_data_provider provider;

	if (has_data)
		provider = h2_stream_provider(st);
	/* The stream is live, the fields are ours: memory only. */
	(void)nghttp2_submit_response(st->session->ng, st->id, a->fields, a->count,
				      has_data ? &provider : NULL);
}

static bool sends_body(const struct h2_call *call, const struct http_response *response)
{
	return response->body.len > 0 && response->status != 204 && response->status != 304 &&
	       !str_equal(call->request.method, STR("HEAD"));
}

void h2_call_respond(struct h2_call *call, const struct http_response *response)
{
	struct h2_stream *st = call->stream;
	bool has_data = sends_body(call, response);
	struct answer a;

	assert(call->state == CALL_ANSWERING);
	if (st->is_live) {
		fill_answer(&a, response, response->status >= 200 && response->status != 204);
		submit(st, &a, has_data);
		st->out.max = response->body.len;
		if (has_data)
			(void)buf_append_str(&st->out,
					     response->body); /* the maximum is its size */
	}
	forget_call(call);
	h2_stream_abandon(st);
}

struct stream *h2_call_take_tunnel(struct h2_call *call, const struct http_response *response)
{
	struct h2_stream *st = call->stream;
	struct answer a;

	assert(call->state == CALL_ANSWERING && call->request.is_connect);
	if (st->is_live) {
		fill_answer(&a, response, false);
		/* No source of data before there are any: an idle tunnel is to cost nothing there. */
		(void)nghttp2_submit_headers(st->session->ng, NGHTTP2_FLAG_NONE, st->id, NULL,
					     a.fields, a.count, NULL); /* memory only */
		h2_session_wake(st->session);
	}
	forget_call(call);
	return h2_stream_hand_over(st);
}

void h2_call_close(struct h2_call *call)
{
	if (!call)
		return;
	h2_stream_reset(call->stream, NGHTTP2_CANCEL);
	forget_call(call);
}

/* ---- the connection ---- */

static void on_idle(struct timer *timer)
{
	struct h2_server *s = container_of(timer, struct h2_server, timer);

	h2_session_terminate(&s->session, NGHTTP2_NO_ERROR, NULL);
}

static void start_timer(struct h2_server *s, uint64_t begin_ms, uint64_t timeout_ms)
{
	if (timeout_ms > 0)
		timer_start(&s->timer, s->session.loop, begin_ms + timeout_ms, on_idle);
}

static void on_change(struct h2_session *session)
{
	struct h2_server *s = server_of(session);

	timer_cancel(&s->timer);
	if (session->live_count == 0)
		start_timer(s, loop_now_ms(session->loop), s->idle_timeout_ms);
}

static void on_over(struct h2_session *session, const struct err *e)
{
	struct h2_server *s = server_of(session);

	timer_cancel(&s->timer);
	LIST_FOREACH (&s->calls, node)
		lose_call(container_of(node, struct h2_call, in_server));
	s->events->on_closed(s->arg, e);
}

static const struct h2_role server_role = {
	.begin = begin,
	.on_change = on_change,
	.on_over = on_over,
};

struct h2_server *h2_server_open(struct loop *loop, struct stream *stream,
				 const struct h2_server_options *options)
{
	static const nghttp2_settings_entry extended_connect = {
		NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1
	};
	struct h2_server *s = mem_alloc(sizeof(*s));

	h2_session_init(&s->session, loop, stream, &server_role, &extended_connect);
	s->events = options->events;
	s->arg = options->arg;
	s->head_timeout_ms = options->head_timeout_ms;
	s->idle_timeout_ms = options->idle_timeout_ms;
	list_init(&s->calls);
	start_timer(s, options->began_ms ? options->began_ms : loop_now_ms(loop),
		    s->head_timeout_ms);
	return s;
}

void h2_server_finish(struct h2_server *s)
{
	h2_session_finish(&s->session);
}

void h2_server_close(struct h2_server *s, enum stream_close how)
{
	if (!s)
		return;
	timer_cancel(&s->timer);
	LIST_FOREACH (&s->calls, node)
		h2_call_close(container_of(node, struct h2_call, in_server));
	h2_session_close(&s->session, how);
}
