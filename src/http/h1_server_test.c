#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/loop.h"
#include "tests/support/h1_server_fixture.h"

#define DATE  "x-test: 1\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
#define GET_X "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST  "POST /f HTTP/1.1\r\nHost: a\r\n"

static void test_request_and_answer(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_expect_received(&f, "");
	h1_fixture_answer(&f, 200, STR("hello"), false);
	h1_fixture_expect_received(&f, "HTTP/1.1 200 OK\r\n" DATE "content-length: 5\r\n\r\nhello");
	/* and once more on the same connection */
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_answer(&f, 404, STR(""), false);
	h1_fixture_expect_received(&f,
				   "HTTP/1.1 404 Not Found\r\n" DATE "content-length: 0\r\n\r\n");
	stream_close(TAKE(f.client), STREAM_CLOSE_NORMAL);
	h1_fixture_settle(&f);
	h1_fixture_expect(&f, "closed;");
	h1_fixture_done(&f);
}

static void test_byte_at_a_time(void **state)
{
	const struct stream_mem_options options = { .read_max = 1, .write_max = 1, .capacity = 7 };
	struct h1_fixture f;

	h1_fixture_init(&f, &options);
	h1_fixture_send(&f, STR(POST "Content-Length: 3\r\n\r\na=b"));
	h1_fixture_expect(&f, "request POST /f a a=b;");
	h1_fixture_answer(&f, 200, STR("0123456789"), true);
	h1_fixture_expect_received(&f, "HTTP/1.1 200 OK\r\n" DATE
				       "content-length: 10\r\nconnection: close\r\n\r\n0123456789");
	assert_true(f.client_saw_end);
	h1_fixture_done(&f);
}

static void test_head_gets_length_without_body(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"));
	h1_fixture_answer(&f, 200, STR("hello"), false);
	h1_fixture_expect_received(&f, "HTTP/1.1 200 OK\r\n" DATE "content-length: 5\r\n\r\n");
	h1_fixture_done(&f);
}

static void test_pipelined_requests_come_one_after_the_other(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(GET_X POST "Content-Length: 2\r\n\r\nhi" GET_X));
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_expect_received(&f, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	h1_fixture_expect(&f, "request POST /f a hi;");
	h1_fixture_answer(&f, 204, STR(""), true);
	/* what came behind a request whose answer closes is not served */
	h1_fixture_expect(&f, "");
	h1_fixture_done(&f);
}

/* Hundreds of requests in one write: more than one drive may serve. */
static void test_many_pipelined_requests(void **state)
{
	struct buf requests = BUF_INIT(1u << 20);
	struct h1_fixture f;
	size_t served = 0;

	for (int i = 0; i < 500; i++)
		assert_int_equal(buf_append_str(&requests, STR(GET_X)), 0);
	h1_fixture_init(&f, NULL);
	f.answers_at_once = true;
	h1_fixture_send(&f, buf_view(&requests));
	h1_fixture_receive(&f);
	for (struct str rest = buf_view(&f.diary), item; str_cut(&rest, ';', &item);)
		served += item.len > 0;
	assert_int_equal(served, 500);
	buf_done(&requests);
	h1_fixture_done(&f);
}

static void test_close_shuts_then_lingers(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_answer(&f, 200, STR(""), false);
	assert_true(f.client_saw_end);
	h1_fixture_expect(&f, "");
	/* what the peer still sends is read and dropped */
	h1_fixture_send(&f, STR(GET_X));
	assert_int_equal(stream_shutdown(f.client), STREAM_END);
	h1_fixture_settle(&f);
	h1_fixture_expect(&f, "closed;");
	h1_fixture_done(&f);
}

static void test_lingering_is_bounded_in_time(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_answer(&f, 200, STR(""), true);
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_advance(&f, H1_LINGER_MS - 1);
	h1_fixture_expect(&f, "");
	h1_fixture_advance(&f, 1);
	h1_fixture_expect(&f, "closed;");
	h1_fixture_done(&f);
}

static void test_lingering_is_bounded_in_bytes(void **state)
{
	char junk[4096] = { 0 };
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_answer(&f, 200, STR(""), true);
	for (size_t sent = 0; f.server && sent < 2 * H1_LINGER_MAX; sent += sizeof(junk))
		h1_fixture_send(&f, str_of(junk, sizeof(junk)));
	h1_fixture_expect(&f, "request GET /x a ;closed;");
	h1_fixture_done(&f);
}

static void test_shutdown_that_waits(void **state)
{
	const struct stream_mem_options options = { .shutdown_waits = 3 };
	struct h1_fixture f;

	h1_fixture_init(&f, &options);
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_answer(&f, 200, STR(""), true);
	assert_true(f.client_saw_end);
	h1_fixture_done(&f);
}

static void test_http_10(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_expect_received(&f, "HTTP/1.1 204 No Content\r\n" DATE
				       "connection: keep-alive\r\n\r\n");
	h1_fixture_send(&f, STR("GET /x HTTP/1.0\r\n\r\n"));
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_expect_received(&f,
				   "HTTP/1.1 204 No Content\r\n" DATE "connection: close\r\n\r\n");
	h1_fixture_done(&f);
}

struct bad_case {
	struct str bytes;
	const char *diary;
};

static const struct bad_case bad_cases[] = {
	{ STR("GET / HTTP/1.1\n"), "bad 400;" },
	{ STR("\x16\x03\x01"), "bad 400;" },
	{ STR("GET / HTTP/1.1\r\n\r\n"), "bad 400;" },
	{ STR("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"), "bad 400;" },
	{ STR(POST "Content-Length: 65537\r\n\r\n"), "bad 413;" },
	{ STR(POST "Content-Length: 18446744073709551615\r\n\r\n"), "bad 413;" },
	{ STR(POST "Transfer-Encoding: chunked\r\n\r\n+1\r\n"), "bad 400;" },
	{ STR(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad 400;" },
};

static void test_bad_requests_are_answered_and_end_the_connection(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
		struct h1_fixture f;

		h1_fixture_init(&f, NULL);
		h1_fixture_send(&f, bad_cases[i].bytes);
		h1_fixture_expect(&f, bad_cases[i].diary);
		h1_fixture_receive(&f);
		assert_true(f.client_saw_end);
		assert_true(str_contains(buf_view(&f.received), STR("connection: close\r\n")));
		/* nothing is served behind it */
		h1_fixture_send(&f, STR(GET_X));
		h1_fixture_expect(&f, "");
		h1_fixture_done(&f);
	}
}

static void send_much(struct h1_fixture *f, struct str piece, size_t total)
{
	struct buf all = BUF_INIT(4u << 20);

	while (all.len < total)
		assert_int_equal(buf_append_str(&all, piece), 0);
	h1_fixture_send(f, buf_view(&all));
	buf_done(&all);
}

static void test_head_too_large(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("GET / HTTP/1.1\r\nX: "));
	send_much(&f, STR("xxxxxxxx"), HTTP_HEAD_MAX + 1000);
	h1_fixture_expect(&f, "bad 431;");
	h1_fixture_done(&f);
}

static void test_too_many_headers(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("GET / HTTP/1.1\r\n"));
	send_much(&f, STR("a:b\r\n"), (HTTP_HEADERS_MAX + 1) * 5);
	h1_fixture_expect(&f, "bad 431;");
	h1_fixture_done(&f);
}

static void test_chunked_body_too_large(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(POST "Transfer-Encoding: chunked\r\n\r\n"));
	send_much(&f, STR("8\r\nxxxxxxxx\r\n"), 2 * HTTP_BODY_MAX);
	h1_fixture_expect(&f, "bad 413;");
	h1_fixture_done(&f);
}

static void test_largest_body(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(POST "Content-Length: 65536\r\n\r\n"));
	send_much(&f, STR("xxxxxxxx"), HTTP_BODY_MAX);
	assert_non_null(f.request);
	assert_int_equal(f.request->body.len, HTTP_BODY_MAX);
	h1_fixture_done(&f);
}

static void test_chunked_body(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f,
			STR(POST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\n=b\r\n0\r\n"
				 "T: x\r\n\r\n" GET_X));
	h1_fixture_expect(&f, "request POST /f a a=b;");
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_done(&f);
}

static void test_expect_continue(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
	h1_fixture_expect_received(&f, "HTTP/1.1 100 Continue\r\n\r\n");
	h1_fixture_send(&f, STR("hi"));
	h1_fixture_expect(&f, "request POST /f a hi;");
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_expect_received(&f, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	/* not when the body is there already, or there is none */
	h1_fixture_send(&f, STR(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"));
	h1_fixture_expect_received(&f, "");
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_send(&f, STR(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"));
	h1_fixture_expect(&f, "request POST /f a hi;request POST /f a ;");
	h1_fixture_done(&f);
}

/* ---- the client goes ---- */

struct end_case {
	struct str sent;
	const char *diary;
};

static const struct end_case end_cases[] = {
	{ STR(""), "closed;" },
	{ STR("G"), "closed closed;" },
	{ STR("GET / HTTP/1.1\r\n"), "closed closed;" },
	{ STR(POST "Content-Length: 5\r\n\r\nhi"), "closed closed;" },
	{ STR(GET_X), "request GET /x a ;" },
};

static void test_end_of_the_client(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(end_cases); i++) {
		struct h1_fixture f;

		h1_fixture_init(&f, NULL);
		h1_fixture_send(&f, end_cases[i].sent);
		assert_int_equal(stream_shutdown(f.client), STREAM_END);
		h1_fixture_settle(&f);
		h1_fixture_expect(&f, end_cases[i].diary);
		if (f.request) {
			/* a half-closed client still gets its answer */
			h1_fixture_answer(&f, 204, STR(""), false);
			h1_fixture_expect_received(&f, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
			h1_fixture_expect(&f, "closed;");
		}
		h1_fixture_done(&f);
	}
}

static void test_reset_of_the_client(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("GET /"));
	stream_close(TAKE(f.client), STREAM_CLOSE_RESET);
	h1_fixture_settle(&f);
	h1_fixture_expect(&f, "closed reset;");
	h1_fixture_done(&f);
}

/* ---- time ---- */

static void test_silent_connection(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_advance(&f, FIXTURE_HEAD_TIMEOUT_MS - 1);
	h1_fixture_expect(&f, "");
	h1_fixture_advance(&f, 1);
	h1_fixture_expect(&f, "closed timeout;");
	h1_fixture_done(&f);
}

static void test_slow_head_and_body(void **state)
{
	static const struct str starts[] = { STR("G"), STR(POST "Content-Length: 5\r\n\r\nhi") };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct h1_fixture f;

		h1_fixture_init(&f, NULL);
		h1_fixture_send(&f, starts[i]);
		h1_fixture_advance(&f, FIXTURE_HEAD_TIMEOUT_MS - 1);
		h1_fixture_expect(&f, "");
		h1_fixture_advance(&f, 1);
		h1_fixture_expect(&f, "bad 408;");
		h1_fixture_receive(&f);
		assert_true(f.client_saw_end);
		h1_fixture_done(&f);
	}
}

static void test_kept_connection(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	f.answers_at_once = true;
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_advance(&f, FIXTURE_IDLE_TIMEOUT_MS - 1);
	/* from the first byte on the head timeout counts */
	h1_fixture_send(&f, STR("GET /"));
	h1_fixture_advance(&f, FIXTURE_HEAD_TIMEOUT_MS - 1);
	h1_fixture_send(&f, STR("y HTTP/1.1\r\nHost: a\r\n\r\n"));
	h1_fixture_expect(&f, "request GET /y a ;");
	h1_fixture_advance(&f, FIXTURE_IDLE_TIMEOUT_MS);
	h1_fixture_expect(&f, "closed;");
	h1_fixture_done(&f);
}

static void test_finish(void **state)
{
	struct h1_fixture f;

	/* Waiting for another request. */
	h1_fixture_init(&f, NULL);
	f.answers_at_once = true;
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_server_finish(f.server);
	h1_fixture_settle(&f);
	h1_fixture_expect(&f, "closed;");
	h1_fixture_done(&f);

	/* Before the first one, and while it is answered. */
	for (int i = 0; i < 2; i++) {
		h1_fixture_init(&f, NULL);
		if (i == 0)
			h1_server_finish(f.server);
		h1_fixture_send(&f, STR(GET_X));
		h1_fixture_expect(&f, "request GET /x a ;");
		h1_server_finish(f.server);
		h1_fixture_answer(&f, 204, STR(""), false);
		h1_fixture_expect_received(&f, "HTTP/1.1 204 No Content\r\n" DATE
					       "connection: close\r\n\r\n");
		h1_fixture_done(&f);
	}
}

static void test_answering_may_take_long(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_advance(&f, 100 * FIXTURE_IDLE_TIMEOUT_MS);
	h1_fixture_expect(&f, "request GET /x a ;");
	h1_fixture_done(&f);
}

static void test_client_that_does_not_take_the_answer(void **state)
{
	const struct stream_mem_options options = { .capacity = 64 };
	const struct http_response response = { .status = 200, .body = STR(GET_X GET_X GET_X) };
	struct h1_fixture f;
	char piece[16];

	h1_fixture_init(&f, &options);
	h1_fixture_send(&f, STR(GET_X));
	h1_fixture_expect(&f, "request GET /x a ;");
	f.request = NULL;
	h1_server_respond(f.server, &response);
	h1_fixture_settle(&f);
	h1_fixture_advance(&f, 29999);
	/* progress starts the 30 seconds again */
	assert_int_equal(stream_read(f.client, piece, sizeof(piece)), sizeof(piece));
	h1_fixture_settle(&f);
	h1_fixture_advance(&f, 29999);
	h1_fixture_expect(&f, "");
	h1_fixture_advance(&f, 1);
	h1_fixture_expect(&f, "closed timeout;");
	assert_true(stream_mem_peer_was_reset(f.client));
	h1_fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_answer),
		cmocka_unit_test(test_byte_at_a_time),
		cmocka_unit_test(test_head_gets_length_without_body),
		cmocka_unit_test(test_pipelined_requests_come_one_after_the_other),
		cmocka_unit_test(test_many_pipelined_requests),
		cmocka_unit_test(test_close_shuts_then_lingers),
		cmocka_unit_test(test_lingering_is_bounded_in_time),
		cmocka_unit_test(test_lingering_is_bounded_in_bytes),
		cmocka_unit_test(test_shutdown_that_waits),
		cmocka_unit_test(test_http_10),
		cmocka_unit_test(test_bad_requests_are_answered_and_end_the_connection),
		cmocka_unit_test(test_head_too_large),
		cmocka_unit_test(test_too_many_headers),
		cmocka_unit_test(test_chunked_body_too_large),
		cmocka_unit_test(test_largest_body),
		cmocka_unit_test(test_chunked_body),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_end_of_the_client),
		cmocka_unit_test(test_reset_of_the_client),
		cmocka_unit_test(test_silent_connection),
		cmocka_unit_test(test_slow_head_and_body),
		cmocka_unit_test(test_kept_connection),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_answering_may_take_long),
		cmocka_unit_test(test_client_that_does_not_take_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
