#include "http/connect_client.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/chunked_stream.h"
#include "http/h1_call.h"
#include "http/tunnel_path.h"
#include "http/websocket.h"
#include "http/ws_stream.h"

/*
 * The body of a refusal is not read: nothing in it is needed, and the connection ends anyway. With 200 the received
 * bytes behind the head are the tunnel's first, whatever framing the head claims; but that of UDP is the body of the
 * answer, as its head says.
 */

#define STATUS_OPEN        200
#define STATUS_SWITCHED    101
#define UPGRADE_FIELDS_MAX 4

struct connect_client {
	struct h1_call call;
	bool is_udp;
	bool is_websocket;
	char key[WEBSOCKET_KEY_LEN + 1];
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

/* What the answer to a WebSocket means. */
static int check_switch(const struct connect_client *c, const struct h1_response_head *head,
			int *status, struct err *e)
{
	if (head->status == STATUS_OPEN)
		return err_set(e, ERR_PROTOCOL, "the answer is a page, not a WebSocket");
	if (head->status != STATUS_SWITCHED)
		return 0;
	*status = STATUS_OPEN;
	return websocket_check_answer(&head->headers, str_from(c->key), e);
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
	if (c->is_websocket)
		result->stream = ws_stream_client(call->loop, result->stream, &result->early);
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
	if (c->is_websocket && check_switch(c, &head, &result.status, &e) < 0)
		return h1_call_fail(call, &e);
	if (result.status == STATUS_OPEN && take_stream(c, &head, &result, &e) < 0)
		return h1_call_fail(call, &e);
	finish(c, &result, NULL);
	return H1_CALL_WAIT;
}

/* A target that gives no path is refused by who writes the head, for the same reason. */
static void start_upgrade(struct connect_client *c, struct loop *loop, struct stream *stream,
			  const struct connect_request *request, struct h1_request_head *head)
{
	const struct str prefix = request->is_udp ? STR(TUNNEL_PATH_UDP) : STR(TUNNEL_PATH_TCP);
	struct http_header headers[CONNECT_HEADERS_MAX + UPGRADE_FIELDS_MAX];
	struct buf path = BUF_INIT(HTTP_HEAD_MAX);

	assert(request->header_count <= CONNECT_HEADERS_MAX);
	memcpy(headers, head->headers, head->header_count * sizeof(headers[0]));
	for (size_t i = 0; i < request->header_count; i++)
		headers[head->header_count++] = request->headers[i];
	head->headers = headers;
	head->method = STR("GET");
	head->target = tunnel_path_write(&path, prefix, request->target) ? buf_view(&path)
									 : STR("");
	h1_call_start(&c->call, loop, stream, head, request->timeout_ms);
	buf_done(&path);
}

static void start_udp(struct connect_client *c, struct loop *loop, struct stream *stream,
		      const struct connect_request *request)
{
	const struct http_header headers[] = {
		{ STR("Capsule-Protocol"), STR("?1") },
		{ STR("Connection"), STR("Upgrade") },
		{ STR("Upgrade"), STR("connect-udp") },
	};
	struct h1_request_head head = {
		.host = request->target,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
	};

	start_upgrade(c, loop, stream, request, &head);
}

static void start_websocket(struct connect_client *c, struct loop *loop, struct stream *stream,
			    const struct connect_request *request)
{
	const struct http_header headers[UPGRADE_FIELDS_MAX] = {
		{ STR("Connection"), STR("Upgrade") },
		{ STR("Upgrade"), STR("websocket") },
		{ STR("Sec-WebSocket-Version"), STR(WEBSOCKET_VERSION) },
		{ STR("Sec-WebSocket-Key"), str_from(c->key) },
	};
	struct h1_request_head head = {
		.host = request->host,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
	};

	start_upgrade(c, loop, stream, request, &head);
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
		.is_websocket = request->is_websocket,
		.on_done = on_done,
		.arg = arg,
	};
	if (request->is_websocket)
		websocket_make_key(c->key);
	if (request->is_udp)
		start_udp(c, loop, stream, request);
	else if (request->is_websocket)
		start_websocket(c, loop, stream, request);
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
