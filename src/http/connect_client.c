#include "http/connect_client.h"

#include <assert.h>

#include "base/mem.h"
#include "http/chunked_stream.h"
#include "http/connect_udp.h"
#include "http/h1_call.h"

/*
 * The body of a refusal is not read: nothing in it is needed, and the connection ends anyway. With 200 the received
 * bytes behind the head are the tunnel's first, whatever framing the head claims; but that of UDP is the body of the
 * answer, as its head says.
 */

struct connect_client {
	struct h1_call call;
	bool is_udp;
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e);
	void *arg;
};

static void finish(struct connect_client *c, struct connect_result *result, const struct err *e)
{
	struct loop *loop = c->call.loop;

	c->call.is_over = true;
	c->on_done(c->arg, result, e);
	h1_call_done(&c->call);
	loop_free_later(loop, c);
}

static void on_fail(struct h1_call *call, const struct err *e)
{
	finish(container_of(call, struct connect_client, call), NULL, e);
}

static void ignore_event(void *arg, unsigned events)
{
}

/* On failure nothing is taken. */
static int take_stream(struct connect_client *c, const struct h1_response_head *head,
		       struct connect_result *result, struct err *e)
{
	struct h1_call *call = &c->call;
	struct h1_body body = { 0 };

	if (c->is_udp && h1_body_of_response(&body, STR("GET"), head, e) < 0)
		return -1;
	if (c->is_udp && body.kind == H1_BODY_LENGTH)
		return err_set(e, ERR_PROTOCOL, "the answer is not a tunnel: it has a length");
	/* The timer must not find an operation without a stream if the callee is slow. */
	timer_cancel(&call->timer);
	stream_set_owner(call->stream, ignore_event, NULL);
	result->stream = TAKE(call->stream);
	buf_move(&result->early, &call->in.received);
	if (c->is_udp)
		result->stream = chunked_stream_client(call->loop, result->stream, &body,
						       &result->early);
	return 0;
}

static enum h1_call_step run(struct h1_call *call)
{
	struct connect_client *c = container_of(call, struct connect_client, call);
	struct connect_result result = { 0 };
	struct h1_response_head head;
	enum h1_call_step step;
	struct err e;

	if (!h1_call_has_head(call, &step))
		return step;
	if (h1_parse_response(buf_view(&call->in.head), &call->in.arena, &head, &e))
		return h1_call_fail(call, &e);
	result.status = head.status;
	result.headers = head.headers;
	if (head.status == 200 && take_stream(c, &head, &result, &e) < 0)
		return h1_call_fail(call, &e);
	finish(c, &result, NULL);
	return H1_CALL_WAIT;
}

/* A target that gives no path is refused by who writes the head, for the same reason. */
static void start_udp(struct connect_client *c, struct loop *loop, struct stream *stream,
		      const struct connect_request *request)
{
	struct http_header headers[CONNECT_UDP_HEADERS_MAX + 3] = {
		{ STR("Capsule-Protocol"), STR("?1") },
		{ STR("Connection"), STR("Upgrade") },
		{ STR("Upgrade"), STR("connect-udp") },
	};
	struct buf path = BUF_INIT(HTTP_HEAD_MAX);
	struct h1_request_head head = {
		.method = STR("GET"),
		.host = request->target,
		.headers = headers,
		.header_count = 3 + request->header_count,
	};

	assert(request->header_count <= CONNECT_UDP_HEADERS_MAX);
	for (size_t i = 0; i < request->header_count; i++)
		headers[3 + i] = request->headers[i];
	if (connect_udp_write_path(&path, request->target))
		head.target = buf_view(&path);
	h1_call_start(&c->call, loop, stream, &head, request->timeout_ms);
	buf_done(&path);
}

struct connect_client *connect_client_start(
	struct loop *loop, struct stream *stream, const struct connect_request *request,
	void (*on_done)(void *arg, struct connect_result *result, const struct err *e), void *arg)
{
	struct h1_request_head head = {
		.method = STR("CONNECT"),
		.target = request->target,
		.host = request->target,
		.headers = request->headers,
		.header_count = request->header_count,
	};
	struct connect_client *c = mem_alloc(sizeof(*c));

	*c = (struct connect_client){
		.call = { .run = run, .fail = on_fail },
		.is_udp = request->is_udp,
		.on_done = on_done,
		.arg = arg,
	};
	if (request->is_udp)
		start_udp(c, loop, stream, request);
	else
		h1_call_start(&c->call, loop, stream, &head, request->timeout_ms);
	return c;
}

void connect_client_cancel(struct connect_client *c)
{
	if (!c || c->call.is_over)
		return;
	h1_call_done(&c->call);
	loop_free_later(c->call.loop, c);
}
