#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/loop.h"
#include "tests/support/h1_server_fixture.h"

#define DATE    "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
#define CONNECT "CONNECT db.example:22 HTTP/1.1\r\nHost: db.example:22\r\n\r\n"

static void take(struct h1_fixture *f, struct buf *ret_head)
{
	const struct http_header headers[] = { { STR("x-request-id"), STR("7") } };
	const struct http_response response = {
		.status = 200,
		.headers = headers,
		.header_count = 1,
	};

	assert_non_null(f->request);
	f->request = NULL;
	f->tunnel = h1_server_take_tunnel(TAKE(f->server), &response, ret_head, &f->early);
	h1_fixture_settle(f);
}

static void test_take(void **state)
{
	struct buf head;
	struct h1_fixture f;
	char byte;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(CONNECT));
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	take(&f, &head);
	assert_true(str_equal(buf_view(&head),
			      STR("HTTP/1.1 200 OK\r\nx-request-id: 7\r\n" DATE "\r\n")));
	assert_int_equal(f.early.len, 0);
	/* the stream works on, without the server */
	h1_fixture_send(&f, STR("z"));
	assert_int_equal(stream_read(f.tunnel, &byte, 1), 1);
	assert_int_equal(byte, 'z');
	h1_fixture_expect(&f, "");
	buf_done(&head);
	h1_fixture_done(&f);
}

static void test_early_bytes_are_kept(void **state)
{
	struct buf head;
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	/* looks like a request, and never is one */
	h1_fixture_send(&f, STR(CONNECT "GET / HTTP/1.1\r\n"));
	h1_fixture_send(&f, STR("Host: a\r\n\r\n"));
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	take(&f, &head);
	assert_true(str_equal(buf_view(&f.early), STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
	h1_fixture_expect(&f, "");
	buf_done(&head);
	h1_fixture_done(&f);
}

static void test_early_bytes_are_bounded(void **state)
{
	struct buf flood = BUF_INIT(4 * H1_EARLY_MAX);
	struct buf head;
	struct h1_fixture f;

	while (flood.len < 3 * H1_EARLY_MAX)
		assert_int_equal(buf_append_str(&flood, STR("0123456789abcdef")), 0);
	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(CONNECT));
	h1_fixture_send(&f, buf_view(&flood));
	take(&f, &head);
	assert_int_equal(f.early.len, H1_EARLY_MAX);
	buf_done(&head);
	buf_done(&flood);
	h1_fixture_done(&f);
}

static void test_half_close_before_the_answer(void **state)
{
	struct buf head;
	struct h1_fixture f;
	char byte;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(CONNECT "x"));
	assert_int_equal(stream_shutdown(f.client), STREAM_END);
	h1_fixture_settle(&f);
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	take(&f, &head);
	assert_true(str_equal(buf_view(&f.early), STR("x")));
	assert_int_equal(stream_read(f.tunnel, &byte, 1), STREAM_END);
	buf_done(&head);
	h1_fixture_done(&f);
}

static void test_reset_before_the_answer(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(CONNECT));
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	stream_close(TAKE(f.client), STREAM_CLOSE_RESET);
	h1_fixture_settle(&f);
	h1_fixture_expect(&f, "closed reset;");
	h1_fixture_done(&f);
}

static void test_refused_connect_ends_the_connection(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(CONNECT "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
	h1_fixture_answer(&f, 403, STR("no"), false);
	h1_fixture_expect_received(&f, "HTTP/1.1 403 Forbidden\r\nx-test: 1\r\n" DATE
				       "content-length: 2\r\nconnection: close\r\n\r\nno");
	assert_true(f.client_saw_end);
	/* neither what came with it nor what comes later is a request */
	h1_fixture_send(&f, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	h1_fixture_done(&f);
}

/* One time for all that comes before the tunnel, whoever is slow. */
static void test_late_tunnel(void **state)
{
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_advance(&f, FIXTURE_HEAD_TIMEOUT_MS / 2);
	h1_fixture_send(&f, STR(CONNECT));
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	h1_fixture_advance(&f, FIXTURE_HEAD_TIMEOUT_MS / 2 - 1);
	h1_fixture_expect(&f, "");
	h1_fixture_advance(&f, 1);
	h1_fixture_expect(&f, "late;");
	h1_fixture_receive(&f);
	assert_true(str_starts_with(buf_view(&f.received), STR("HTTP/1.1 503 ")));
	h1_fixture_done(&f);
}

/* What is taken in time is not disturbed later. */
static void test_tunnel_in_time(void **state)
{
	struct buf head;
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR(CONNECT));
	h1_fixture_advance(&f, FIXTURE_HEAD_TIMEOUT_MS - 1);
	h1_fixture_expect(&f, "request CONNECT  db.example:22 ;");
	take(&f, &head);
	h1_fixture_advance(&f, FIXTURE_IDLE_TIMEOUT_MS);
	h1_fixture_expect(&f, "");
	buf_done(&head);
	h1_fixture_done(&f);
}

static void test_connect_in_a_pipeline(void **state)
{
	struct buf head;
	struct h1_fixture f;

	h1_fixture_init(&f, NULL);
	h1_fixture_send(&f, STR("GET /x HTTP/1.1\r\nHost: a\r\n\r\n" CONNECT "early"));
	h1_fixture_answer(&f, 204, STR(""), false);
	h1_fixture_expect(&f, "request GET /x a ;request CONNECT  db.example:22 ;");
	take(&f, &head);
	assert_true(str_equal(buf_view(&f.early), STR("early")));
	buf_done(&head);
	h1_fixture_done(&f);
}

/* ---- teardown ---- */

static const struct str script[] = {
	STR("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"),
	STR("POST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
	STR("a=bGET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HT"),
	STR("TP/1.1\r\nHost: a\r\n\r\nbroken\n"),
};

/* Runs the script until the server has gone; returns how many events there were. */
static unsigned run_script(unsigned close_at)
{
	const struct stream_mem_options options = { .read_max = 5, .write_max = 5 };
	struct h1_fixture f;
	unsigned event_count;

	h1_fixture_init(&f, &options);
	f.answers_at_once = true;
	f.close_at = close_at;
	for (size_t i = 0; i < ARRAY_LEN(script); i++)
		h1_fixture_send(&f, script[i]);
	h1_fixture_advance(&f, H1_LINGER_MS);
	assert_null(f.server);
	event_count = f.event_count;
	h1_fixture_done(&f);
	return event_count;
}

static void test_close_at_every_event(void **state)
{
	unsigned count = run_script(0);

	assert_int_equal(count, 6); /* four requests, one that is none, closed */
	for (unsigned k = 1; k <= count; k++)
		assert_int_equal(run_script(k), k);
}

/* The same between any two turns of the loop. */
static void test_close_after_every_turn(void **state)
{
	for (int turns = 0; turns < 120; turns++) {
		const struct stream_mem_options options = { .read_max = 3, .write_max = 3 };
		struct h1_fixture f;

		h1_fixture_init(&f, &options);
		f.answers_at_once = true;
		for (size_t i = 0; i < ARRAY_LEN(script); i++)
			(void)stream_write(f.client, script[i].at, script[i].len);
		for (int i = 0; i < turns; i++)
			loop_turn(f.loop, false);
		h1_server_close(f.server, STREAM_CLOSE_RESET);
		h1_server_close(f.server, STREAM_CLOSE_RESET);
		f.server = NULL;
		buf_truncate(&f.diary, 0);
		h1_fixture_advance(&f, FIXTURE_IDLE_TIMEOUT_MS);
		h1_fixture_expect(&f, ""); /* silence */
		h1_fixture_done(&f);
	}
}

static void test_close_of_nothing(void **state)
{
	h1_server_close(NULL, STREAM_CLOSE_NORMAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_early_bytes_are_kept),
		cmocka_unit_test(test_early_bytes_are_bounded),
		cmocka_unit_test(test_half_close_before_the_answer),
		cmocka_unit_test(test_reset_before_the_answer),
		cmocka_unit_test(test_refused_connect_ends_the_connection),
		cmocka_unit_test(test_late_tunnel),
		cmocka_unit_test(test_tunnel_in_time),
		cmocka_unit_test(test_connect_in_a_pipeline),
		cmocka_unit_test(test_close_at_every_event),
		cmocka_unit_test(test_close_after_every_turn),
		cmocka_unit_test(test_close_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
