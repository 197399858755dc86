#include "http/connect_client.h"

#include "base/mem.h"
#include "http/h1_call.h"

/*
 * The body of a refusal is not read: nothing in it is needed, and the connection ends anyway. With 200 the received
 * bytes behind the head are the tunnel's first, whatever framing the head claims.
 */

struct connect_client {
	struct h1_call call;
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
	if (head.status == 200) {
		/* The timer must not find an operation without a stream if the callee is slow. */
		timer_cancel(&call->timer);
		stream_set_owner(call->stream, ignore_event, NULL);
		result.stream = TAKE(call->stream);
		buf_move(&result.early, &call->in.received);
	}
	finish(c, &result, NULL);
	return H1_CALL_WAIT;
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
		.on_done = on_done,
		.arg = arg,
	};
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
