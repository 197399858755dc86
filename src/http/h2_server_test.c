/*
 * The server against a client that is nghttp2 alone: requests, bodies, lateness, and answers that nobody takes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/h2_server.h"
#include "http/h2_session.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"

#define TIMEOUT_MS 10000
#define IDLE_MS    60000

struct scene {
	struct loop *loop;
	struct h2_server *server; /* NULL once it has gone */
	struct stream *wire;
	nghttp2_session *ng;
	struct buf diary;     /* of both sides */
	struct h2_call *call; /* the last one, unanswered */
	size_t answer_len;    /* of the bodies of answers; 0: no answer at once */
	size_t received;      /* of such bodies */
};

/* ---- the server's side ---- */

static void answer(struct scene *s, int status)
{
	char *body = mem_alloc(s->answer_len + 1);
	const struct http_response response = { .status = status,
						.body = str_of(body, s->answer_len) };

	h2_call_respond(TAKE(s->call), &response);
	mem_free(body);
}

static void on_request(void *arg, struct h2_call *call, const struct http_request *request)
{
	struct scene *s = arg;

	(void)buf_printf(&s->diary, "%.*s %.*s %zu;", STR_FMT(request->method),
			 STR_FMT(request->target), request->body.len);
	h2_call_set_owner(call, s);
	s->call = call;
	if (s->answer_len > 0)
		answer(s, 200);
}

static void on_bad_request(void *arg, struct h2_call *call, int status, const struct err *e)
{
	struct scene *s = arg;

	(void)buf_printf(&s->diary, "bad %d;", status);
	h2_call_respond(call, &(struct http_response){ .status = status });
}

static void on_gone(void *owner, const struct err *e)
{
	struct scene *s = owner;

	(void)buf_printf(&s->diary, "gone;");
	s->call = NULL;
}

static void on_late(void *owner)
{
	struct scene *s = owner;

	(void)buf_printf(&s->diary, "late;");
	answer(s, 503);
}

static void on_closed(void *arg, const struct err *e)
{
	struct scene *s = arg;

	(void)buf_printf(&s->diary, "closed%s;", e ? " badly" : "");
	s->server = NULL;
}

/* ---- the client's ---- */

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct scene *s = arg;

	if (frame->hd.type == NGHTTP2_RST_STREAM)
		(void)buf_printf(&s->diary, "reset %u;", frame->rst_stream.error_code);
	if (frame->hd.type == NGHTTP2_GOAWAY)
		(void)buf_printf(&s->diary, "goaway %u;", frame->goaway.error_code);
	return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct scene *s = arg;
	nghttp2_vec n = nghttp2_rcbuf_get_buf(name);
	nghttp2_vec v = nghttp2_rcbuf_get_buf(value);

	if (str_equal(str_of(n.base, n.len), STR(":status")))
		(void)buf_printf(&s->diary, "answer %.*s;", (int)v.len, v.base);
	return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
		   void *arg)
{
	struct scene *s = arg;

	s->received += len;
	return 0;
}

static void settle(struct scene *s)
{
	uint8_t block[4096];

	for (int i = 0; i < 300; i++) {
		const uint8_t *frame;
		ssize_t len;

		if (!s->wire)
			return;
		while ((len = nghttp2_session_mem_send(s->ng, &frame)) > 0)
			(void)stream_write(s->wire, frame, (size_t)len);
		loop_turn(s->loop, false);
		while ((len = stream_read(s->wire, block, sizeof(block))) > 0)
			(void)nghttp2_session_mem_recv(s->ng, block, (size_t)len);
	}
}

static void begin(struct scene *s, uint32_t window)
{
	static const struct h2_server_events events = {
		.on_request = on_request,
		.on_bad_request = on_bad_request,
		.on_gone = on_gone,
		.on_closed = on_closed,
		.on_late = on_late,
	};
	const nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window };
	nghttp2_session_callbacks *callbacks;
	struct stream *near;

	*s = (struct scene){ .loop = loop_new(), .diary = BUF_INIT(1u << 20) };
	stream_mem_pair(s->loop, &(struct stream_mem_options){ .capacity = 1u << 20 }, &s->wire,
			&near);
	s->server = h2_server_open(s->loop, near,
				   &(struct h2_server_options){ .head_timeout_ms = TIMEOUT_MS,
								.idle_timeout_ms = IDLE_MS,
								.events = &events,
								.arg = s });
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	assert_int_equal(nghttp2_session_client_new(&s->ng, callbacks, s), 0);
	nghttp2_session_callbacks_del(callbacks);
	assert_int_equal(nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, &settings, 1), 0);
	settle(s);
}

static void end(struct scene *s)
{
	h2_server_close(s->server, STREAM_CLOSE_NORMAL);
	stream_close(s->wire, STREAM_CLOSE_NORMAL);
	loop_turn(s->loop, false);
	loop_turn(s->loop, false);
	nghttp2_session_del(s->ng);
	buf_done(&s->diary);
	loop_free(s->loop);
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
			     .namelen = strlen(name),
			     .value = (uint8_t *)(uintptr_t)value,
			     .valuelen = strlen(value) };
}

static int32_t ask(struct scene *s, const char *method, bool has_body)
{
	const nghttp2_nv fields[] = { field(":method", method), field(":scheme", "https"),
				      field(":authority", "a.example"), field(":path", "/x") };
	int32_t id = nghttp2_submit_headers(s->ng,
					    has_body ? NGHTTP2_FLAG_NONE : NGHTTP2_FLAG_END_STREAM,
					    -1, NULL, fields, ARRAY_LEN(fields), NULL);

	assert_true(id > 0);
	settle(s);
	return id;
}

static int32_t ask_tunnel(struct scene *s)
{
	const nghttp2_nv fields[] = { field(":method", "CONNECT"), field(":authority", "db:1") };
	int32_t id = nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, -1, NULL, fields,
					    ARRAY_LEN(fields), NULL);

	assert_true(id > 0);
	settle(s);
	return id;
}

/* Past the bookkeeping of the client's nghttp2. */
static void send_data(struct scene *s, int32_t id, size_t len, bool is_end)
{
	uint8_t frame[9 + 10000] = {
		0, (uint8_t)(len >> 8), (uint8_t)len, NGHTTP2_DATA, is_end, 0, 0, 0, (uint8_t)id
	};

	assert_true(len <= 10000);
	assert_int_equal(stream_write(s->wire, frame, 9 + len), 9 + len);
	settle(s);
}

static void advance(struct scene *s, uint64_t ms)
{
	clock_fake_advance_ms(ms);
	settle(s);
}

static void expect(struct scene *s, const char *diary)
{
	_cleanup_(mem_freep) char *text = str_copy(buf_view(&s->diary));

	assert_string_equal(text, diary);
	buf_truncate(&s->diary, 0);
}

/* ---- requests ---- */

static void test_answers(void **state)
{
	struct scene s;

	begin(&s, 65535);
	s.answer_len = 100000;
	(void)ask(&s, "GET", false);
	expect(&s, "GET /x 0;answer 200;");
	assert_int_equal(s.received, 100000);
	(void)ask(&s, "HEAD", false);
	expect(&s, "HEAD /x 0;answer 200;");
	assert_int_equal(s.received, 100000);
	end(&s);
}

static void test_bodies(void **state)
{
	struct scene s;
	int32_t id;

	begin(&s, 65535);
	s.answer_len = 1;
	id = ask(&s, "POST", true);
	send_data(&s, id, 300, false);
	expect(&s, "");
	send_data(&s, id, 33, true);
	expect(&s, "POST /x 333;answer 200;");
	end(&s);
}

static void test_body_too_large(void **state)
{
	struct scene s;
	int32_t id;

	begin(&s, 65535);
	id = ask(&s, "POST", true);
	for (size_t sent = 0; sent < 60000; sent += 10000)
		send_data(&s, id, 10000, false);
	expect(&s, "");
	send_data(&s, id, HTTP_BODY_MAX + 1 - 60000, false);
	/* The rest is not wanted: RFC 9113 section 8.1. */
	expect(&s, "bad 413;answer 413;reset 0;");
	end(&s);
}

static void test_body_too_late(void **state)
{
	struct scene s;

	begin(&s, 65535);
	(void)ask(&s, "POST", true);
	advance(&s, TIMEOUT_MS - 1);
	expect(&s, "");
	advance(&s, 1);
	expect(&s, "bad 408;answer 408;reset 0;");
	end(&s);
}

static void test_tunnel_too_late(void **state)
{
	struct scene s;

	begin(&s, 65535);
	(void)ask_tunnel(&s);
	expect(&s, "CONNECT db:1 0;");
	advance(&s, TIMEOUT_MS);
	expect(&s, "late;answer 503;reset 0;");
	end(&s);
}

static void test_taken_back(void **state)
{
	struct scene s;
	int32_t id;

	begin(&s, 65535);
	id = ask_tunnel(&s);
	(void)nghttp2_submit_rst_stream(s.ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	settle(&s);
	expect(&s, "CONNECT db:1 0;gone;");
	(void)ask_tunnel(&s);
	stream_close(TAKE(s.wire), STREAM_CLOSE_RESET);
	for (int i = 0; i < 10; i++)
		loop_turn(s.loop, false);
	expect(&s, "CONNECT db:1 0;gone;closed badly;");
	end(&s);
}

/* ---- the connection ---- */

static void test_silence(void **state)
{
	struct scene s;

	begin(&s, 65535);
	s.answer_len = 1;
	advance(&s, TIMEOUT_MS - 1);
	(void)ask(&s, "GET", false);
	expect(&s, "GET /x 0;answer 200;");
	advance(&s, IDLE_MS - 1);
	expect(&s, "");
	advance(&s, 1);
	expect(&s, "goaway 0;");
	advance(&s, H2_LINGER_MS);
	expect(&s, "closed;");
	end(&s);
}

static void test_answer_not_taken(void **state)
{
	struct scene s;

	begin(&s, 0);
	s.answer_len = 100;
	(void)ask(&s, "GET", false);
	expect(&s, "GET /x 0;answer 200;");
	assert_int_equal(s.received, 0);
	advance(&s, H2_WRITE_TIMEOUT_MS - 1);
	expect(&s, "");
	advance(&s, 1);
	expect(&s, "reset 8;");
	end(&s);
}

static void test_answers_not_taken_are_bounded(void **state)
{
	struct scene s;
	_cleanup_(mem_freep) char *diary = NULL;

	begin(&s, 0);
	s.answer_len = H2_ANSWERS_MAX / 8;
	for (int i = 0; i < 9; i++)
		(void)ask(&s, "GET", false);
	diary = str_copy(buf_view(&s.diary));
	assert_non_null(strstr(diary, "goaway 11;")); /* ENHANCE_YOUR_CALM */
	end(&s);
}

static void test_finish(void **state)
{
	struct scene s;

	begin(&s, 65535);
	(void)ask_tunnel(&s);
	h2_server_finish(s.server);
	settle(&s);
	expect(&s, "CONNECT db:1 0;goaway 0;");
	s.answer_len = 5;
	answer(&s, 503);
	settle(&s);
	expect(&s, "answer 503;reset 0;");
	advance(&s, H2_LINGER_MS);
	expect(&s, "closed;");
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_body_too_large),
		cmocka_unit_test(test_body_too_late),
		cmocka_unit_test(test_tunnel_too_late),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_answer_not_taken),
		cmocka_unit_test(test_answers_not_taken_are_bounded),
		cmocka_unit_test(test_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
