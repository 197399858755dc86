#include "http/client.h"

#include "base/mem.h"
#include "http/h1_call.h"

/*
 * The head, then the body; interim responses (1xx) are skipped.
 */

/* A server may send this many 1xx heads before the response. */
#define INTERIM_MAX 8

struct http_client {
	struct h1_call call;
	void (*on_done)(void *arg, const struct http_client_response *response,
			const struct err *e);
	void *arg;
	char *method;
	bool keeps_stream;
	struct h1_response_head head;
	bool has_head;
	unsigned interim_count;
	struct h1_body decoder;
	struct buf body;
};

static void release(struct http_client *c)
{
	struct loop *loop = c->call.loop;

	h1_call_done(&c->call);
	buf_done_secret(&c->body);
	mem_free(TAKE(c->method));
	loop_free_later(loop, c);
}

static void on_fail(struct h1_call *call, const struct err *e)
{
	struct http_client *c = container_of(call, struct http_client, call);

	c->on_done(c->arg, NULL, e);
	release(c);
}

static void ignore_event(void *arg, unsigned events)
{
}

/* What the server says about its connection can only be that it ends. */
static struct stream *take_stream(struct http_client *c)
{
	struct str connection;

	if (!c->keeps_stream || c->decoder.kind == H1_BODY_UNTIL_END || !c->decoder.is_complete ||
	    c->call.in.received.len > 0 ||
	    http_headers_get(&c->head.headers, STR("connection"), &connection))
		return NULL;
	stream_set_owner(c->call.stream, ignore_event, NULL);
	return TAKE(c->call.stream);
}

static enum h1_call_step succeed(struct http_client *c)
{
	struct http_client_response response = {
		.status = c->head.status,
		.headers = c->head.headers,
		.body = buf_view(&c->body),
		.stream = take_stream(c),
	};

	c->call.is_over = true;
	c->on_done(c->arg, &response, NULL);
	release(c);
	return H1_CALL_WAIT;
}

static enum h1_call_step skip_interim(struct http_client *c)
{
	struct err e;

	/* 101 would change the protocol, which nobody asked for. */
	if (c->head.status == 101 || ++c->interim_count > INTERIM_MAX) {
		(void)err_set(&e, ERR_PROTOCOL, "the server sent an interim response too many");
		return h1_call_fail(&c->call, &e);
	}
	h1_input_next(&c->call.in);
	return H1_CALL_NEXT;
}

static enum h1_call_step read_head(struct http_client *c)
{
	enum h1_call_step step;
	struct err e;

	if (!h1_call_has_head(&c->call, &step))
		return step;
	if (h1_parse_response(buf_view(&c->call.in.head), &c->call.in.arena, &c->head, &e))
		return h1_call_fail(&c->call, &e);
	if (c->head.status < 200)
		return skip_interim(c);
	if (h1_body_of_response(&c->decoder, str_from(c->method), &c->head, &e))
		return h1_call_fail(&c->call, &e);
	c->has_head = true;
	return H1_CALL_NEXT;
}

static enum h1_call_step read_body(struct http_client *c)
{
	bool may_end = c->decoder.kind == H1_BODY_UNTIL_END;
	struct err e;
	ssize_t got;

	if (h1_input_decode(&c->call.in, &c->decoder, &c->body, &e))
		return h1_call_fail(&c->call, &e);
	if (c->decoder.is_complete)
		return succeed(c);
	got = h1_call_fill(&c->call, may_end);
	if (got == STREAM_END && may_end)
		return succeed(c);
	return got > 0 ? H1_CALL_NEXT : H1_CALL_WAIT;
}

static enum h1_call_step run(struct h1_call *call)
{
	struct http_client *c = container_of(call, struct http_client, call);

	return c->has_head ? read_body(c) : read_head(c);
}

struct http_client *http_client_start(struct loop *loop, struct stream *stream,
				      const struct http_client_request *request,
				      void (*on_done)(void *arg,
						      const struct http_client_response *response,
						      const struct err *e),
				      void *arg)
{
	struct h1_request_head head = {
		.method = request->method,
		.target = request->target,
		.host = request->host,
		.headers = request->headers,
		.header_count = request->header_count,
		.body = request->body,
		.close = !request->keeps_stream,
	};
	struct http_client *c = mem_alloc(sizeof(*c));

	*c = (struct http_client){
		.call = { .run = run, .fail = on_fail },
		.on_done = on_done,
		.arg = arg,
		.method = str_copy(request->method),
		.keeps_stream = request->keeps_stream,
		.body = BUF_INIT(request->body_max),
	};
	h1_call_start(&c->call, loop, stream, &head, request->timeout_ms);
	return c;
}

void http_client_cancel(struct http_client *c)
{
	if (c && !c->call.is_over)
		release(c);
}
