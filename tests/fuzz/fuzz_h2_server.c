/*
 * fuzz_h2_server.c - what a client may say to the HTTP/2 server, in pieces
 *
 * The first byte says how long the pieces are and what becomes of calls: answered at once, at the end, or never. Tunnels
 * echo. Properties: what was parsed holds no control bytes, every call ends once, and nothing is left.
 */

#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "http/h2_server.h"
#include "http/http_chars.h"
#include "io/loop.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/stream_mem.h"

#define TUNNELS_MAX 64
#define CALLS_MAX   64

struct play {
	struct loop *loop;
	struct h2_server *server;
	struct stream *client;
	struct stream *tunnels[TUNNELS_MAX];
	size_t tunnel_count;
	struct h2_call *late[CALLS_MAX];
	size_t late_count;
	bool answers_late;
};

static void ignore_event(void *arg, unsigned events)
{
}

static void answer(struct play *p, struct h2_call *call, const struct http_request *request)
{
	const struct http_response response = { .status = 200, .body = request->path };

	if (request->is_connect && p->tunnel_count < TUNNELS_MAX) {
		struct stream *tunnel = h2_call_take_tunnel(call, &response);

		stream_set_owner(tunnel, ignore_event, NULL);
		p->tunnels[p->tunnel_count++] = tunnel;
		return;
	}
	h2_call_respond(call, &response);
}

static void check_request(const struct http_request *request)
{
	assert(http_is_token(request->method) && request->authority.len > 0);
	assert(request->is_connect == (request->path.len == 0));
	assert(request->headers.count <= HTTP_HEADERS_MAX && request->body.len <= HTTP_BODY_MAX);
	for (size_t i = 0; i < request->headers.count; i++) {
		assert(http_is_token(request->headers.items[i].name));
		assert(http_is_text(request->headers.items[i].value));
	}
}

static void on_request(void *arg, struct h2_call *call, const struct http_request *request)
{
	struct play *p = arg;

	check_request(request);
	if (!p->answers_late || p->late_count == CALLS_MAX) {
		answer(p, call, request);
		return;
	}
	h2_call_set_owner(call, &p->late[p->late_count]);
	p->late[p->late_count++] = call;
}

static void on_bad_request(void *arg, struct h2_call *call, int status, const struct err *e)
{
	assert(e->text[0]);
	h2_call_respond(call, &(struct http_response){ .status = status });
}

static void on_gone(void *owner, const struct err *e)
{
	struct h2_call **slot = owner;

	assert(*slot);
	*slot = NULL;
}

static void on_closed(void *arg, const struct err *e)
{
	struct play *p = arg;

	p->server = NULL;
	for (size_t i = 0; i < p->late_count; i++)
		assert(!p->late[i]);
}

static void echo(struct stream *tunnel)
{
	char piece[1024];
	ssize_t got = stream_read(tunnel, piece, sizeof(piece));

	if (got > 0)
		(void)stream_write(tunnel, piece, (size_t)got); /* what it does not take is lost */
}

static void turn(struct play *p)
{
	char piece[4096];

	for (int i = 0; i < 3; i++) {
		loop_turn(p->loop, false);
		for (size_t t = 0; t < p->tunnel_count; t++)
			echo(p->tunnels[t]);
		while (stream_read(p->client, piece, sizeof(piece)) > 0)
			;
	}
}

static void play(struct play *p, struct str input, size_t piece)
{
	while (input.len > 0 && p->server) {
		size_t len = input.len < piece ? input.len : piece;
		ssize_t done = stream_write(p->client, input.at, len);

		turn(p);
		if (done == STREAM_FAILED)
			return;
		input = str_from_pos(input, done > 0 ? (size_t)done : 0);
	}
}

static void end(struct play *p, bool in_order)
{
	for (size_t i = 0; i < p->late_count; i++)
		if (p->late[i])
			h2_call_respond(TAKE(p->late[i]), &(struct http_response){ .status = 503 });
	turn(p);
	for (size_t i = 0; i < p->tunnel_count; i++)
		stream_close(p->tunnels[i], i % 2 ? STREAM_CLOSE_RESET : STREAM_CLOSE_NORMAL);
	p->tunnel_count = 0;
	if (in_order && p->server)
		h2_server_finish(p->server);
	turn(p);
	h2_server_close(p->server, STREAM_CLOSE_NORMAL);
	stream_close(p->client, STREAM_CLOSE_NORMAL);
	loop_turn(p->loop, false);
	loop_turn(p->loop, false);
	loop_free(p->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct h2_server_events events = {
		.on_request = on_request,
		.on_bad_request = on_bad_request,
		.on_gone = on_gone,
		.on_closed = on_closed,
	};
	struct str input = str_of(data, size);
	uint8_t how = size > 0 ? data[0] : 0;
	struct play p = { .loop = loop_new(), .answers_late = how & 1 };
	struct stream *near;

	stream_mem_pair(p.loop, NULL, &p.client, &near);
	stream_set_owner(p.client, ignore_event, NULL);
	p.server = h2_server_open(p.loop, near,
				  &(struct h2_server_options){ .events = &events, .arg = &p });
	play(&p, str_from_pos(input, 1), how & 2 ? 7 : 10000);
	end(&p, how & 4);
	return 0;
}
