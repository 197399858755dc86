#include "tests/support/h2_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#define SETTLE_TURNS 200
#define OPEN_TURNS   20000

static void on_request(void *arg, struct h2_call *call, const struct http_request *request)
{
	struct h2_scene *s = arg;
	const struct http_response response = { .status = s->answers_with ? s->answers_with : 200 };

	h2_call_set_owner(call, s);
	assert_true(request->is_connect);
	if (s->answers_with)
		h2_call_respond(call, &response);
	else
		s->asked->server = h2_call_take_tunnel(call, &response);
}

static void on_bad_request(void *arg, struct h2_call *call, int status, const struct err *e)
{
	fail_msg("bad request %d: %s", status, e->text);
}

static void on_gone(void *owner, const struct err *e)
{
}

static void on_server_closed(void *arg, const struct err *e)
{
	struct h2_scene *s = arg;

	s->server = NULL;
}

static void on_client_closed(void *arg, const struct err *e)
{
	struct h2_scene *s = arg;

	s->client = NULL;
}

static void on_answer(void *arg, struct connect_result *result, const struct err *e)
{
	struct h2_scene *s = arg;

	s->failure = e ? e->kind : ERR_NONE;
	s->asked->status = result ? result->status : 0;
	s->asked->client = result ? result->stream : NULL;
	s->refusals += !result || result->status != 200;
}

void h2_scene_settle(struct h2_scene *s)
{
	for (int i = 0; i < SETTLE_TURNS; i++)
		loop_turn(s->loop, false);
}

static void begin(struct h2_scene *s, struct loop *loop, const struct stream_mem_options *options)
{
	static const struct h2_server_events events = {
		.on_request = on_request,
		.on_bad_request = on_bad_request,
		.on_gone = on_gone,
		.on_closed = on_server_closed,
	};
	struct stream *server;

	*s = (struct h2_scene){ .loop = loop };
	list_init(&s->tunnels);
	stream_mem_pair(s->loop, options, &s->client_lower, &server);
	s->client = h2_client_open(s->loop, s->client_lower, on_client_closed, s);
	s->server = h2_server_open(s->loop, server,
				   &(struct h2_server_options){ .events = &events, .arg = s });
}

void h2_scene_init(struct h2_scene *s, const struct stream_mem_options *options)
{
	begin(s, loop_new(), options);
}

void h2_scene_connect(struct h2_scene *s, struct h2_scene_tunnel *t)
{
	const struct connect_request request = { .target = STR("db.example:5432"),
						 .timeout_ms = 1000000 };

	*t = (struct h2_scene_tunnel){ 0 };
	s->asked = t;
	s->failure = ERR_NONE;
	(void)h2_client_connect(s->client, &request, on_answer, s);
	for (int i = 0; i < OPEN_TURNS && t->status == 0 && s->failure == ERR_NONE; i++)
		loop_turn(s->loop, false);
	if (t->status == 200)
		list_append(&s->tunnels, &t->node);
}

void h2_scene_done(struct h2_scene *s)
{
	LIST_FOREACH (&s->tunnels, node) {
		struct h2_scene_tunnel *t = container_of(node, struct h2_scene_tunnel, node);

		stream_close(TAKE(t->client), STREAM_CLOSE_NORMAL);
		stream_close(TAKE(t->server), STREAM_CLOSE_NORMAL);
	}
	h2_client_close(TAKE(s->client));
	h2_server_close(TAKE(s->server), STREAM_CLOSE_NORMAL);
	h2_scene_settle(s);
	loop_free(s->loop);
}

/* ---- a pair for the contract ---- */

/* An end of the pair: passes everything on, and takes the connection with it when it is the last one. */
struct pair_end {
	struct stream stream;
	struct stream *inner;
	struct h2_scene *scene;
};

static struct pair_end *end_of(struct stream *stream)
{
	return container_of(stream, struct pair_end, stream);
}

static ssize_t end_read(struct stream *stream, void *to, size_t len)
{
	struct pair_end *end = end_of(stream);
	ssize_t result = stream_read(end->inner, to, len);

	stream->err = end->inner->err;
	return result;
}

static ssize_t end_write(struct stream *stream, const struct iovec *iov, int count)
{
	struct pair_end *end = end_of(stream);
	ssize_t result = stream_writev(end->inner, iov, count);

	stream->err = end->inner->err;
	return result;
}

static int end_shutdown(struct stream *stream)
{
	struct pair_end *end = end_of(stream);
	int result = stream_shutdown(end->inner);

	stream->err = end->inner->err;
	return result;
}

static void end_close(struct stream *stream, enum stream_close how)
{
	struct pair_end *end = end_of(stream);
	struct h2_scene *s = end->scene;

	stream_close(end->inner, how);
	loop_free_later(s->loop, end);
	if (++s->closed_ends < 2)
		return;
	h2_client_close(TAKE(s->client));
	h2_server_close(TAKE(s->server), STREAM_CLOSE_NORMAL);
	loop_free_later(s->loop, s);
}

static void on_inner_event(void *arg, unsigned events)
{
	struct pair_end *end = arg;

	if (end->stream.on_event)
		end->stream.on_event(end->stream.arg, events);
}

static struct stream *wrap(struct h2_scene *s, struct stream *inner)
{
	static const struct stream_ops ops = {
		.read = end_read,
		.write = end_write,
		.shutdown = end_shutdown,
		.close = end_close,
	};
	struct pair_end *end = mem_alloc(sizeof(*end));

	*end = (struct pair_end){ .stream = { .ops = &ops }, .inner = inner, .scene = s };
	stream_set_owner(inner, on_inner_event, end);
	return &end->stream;
}

void h2_scene_open_pair(struct loop *loop, const struct stream_mem_options *options,
			struct stream **ret_client, struct stream **ret_server)
{
	struct h2_scene *s = mem_alloc(sizeof(*s));
	struct h2_scene_tunnel t;

	begin(s, loop, options);
	h2_scene_connect(s, &t);
	assert_int_equal(t.status, 200);
	*ret_client = wrap(s, t.client);
	*ret_server = wrap(s, t.server);
}
