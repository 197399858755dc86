/*
 * How a fetch may end other than well: refused, broken, too large, too late, given up.
 */

#include "http/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/fetch_fixture.h"

/* Short: nothing comes before it but what is waited for. */
#define SHORT_MS 50

static void hold(struct http_peer_call *call)
{
	struct fetch_fixture *f = call->arg;

	f->held = call;
}

/* ---- requests that are none ---- */

static void test_refuses_bad_requests(void **state)
{
	static const struct http_header bad_value = { STR("x"), STR("a\r\nsecret: b") };
	static const struct http_header bad_name = { STR("x y"), STR("secret") };
	static const struct fetch_request requests[] = {
		{ .url = STR("") },
		{ .url = STR("secret") },
		{ .url = STR("http://") },
		{ .url = STR("http://user:secret@a.example/") },
		{ .url = STR("http://a.example/\0secret") },
		{ .url = STR("http://a.example/\r\nsecret") },
		{ .url = STR("http://a.example/secret space") },
		{ .url = STR("file:///etc/secret") },
		{ .url = STR("ftp://a.example/secret") },
		{ .url = STR("gopher://a.example/secret") },
		{ .url = STR("http://a.example/"), .method = STR("GET secret") },
		{ .url = STR("http://a.example/"), .headers = &bad_value, .header_count = 1 },
		{ .url = STR("http://a.example/"), .headers = &bad_name, .header_count = 1 },
	};
	struct fetch_fixture f;

	fetch_fixture_init(&f, hold);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		fetch_fixture_start(&f, requests[i]);
		fetch_fixture_wait(&f, (unsigned)i + 1);
		fetch_fixture_expect_error(&f, ERR_PROTOCOL, "");
		assert_null(strstr(f.error.text, "secret"));
	}
	fetch_fixture_done(&f);
}

static void test_refuses_huge_header(void **state)
{
	char *value = mem_alloc(FETCH_HEAD_MAX);
	const struct http_header header = { STR("x"), str_of(value, FETCH_HEAD_MAX) };
	struct fetch_fixture f;

	memset(value, 'v', FETCH_HEAD_MAX);
	fetch_fixture_init(&f, hold);
	fetch_fixture_start(&f, (struct fetch_request){ .url = STR("http://a.example/"),
							.headers = &header,
							.header_count = 1 });
	fetch_fixture_wait(&f, 1);
	fetch_fixture_expect_error(&f, ERR_LIMIT, "a.example: a header of the request exceeds");
	fetch_fixture_done(&f);
	mem_free(value);
}

/* ---- no connection ---- */

static void test_refused(void **state)
{
	struct fetch_fixture f;
	char url[64];
	char expected[64];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/x?secret", free_port());
	(void)snprintf(expected, sizeof(expected), "%.*s: no connection: Connection refused",
		       (int)strcspn(url + 7, "/"), url + 7);
	fetch_fixture_init(&f, hold);
	fetch_fixture_get(&f, url);
	fetch_fixture_expect_error(&f, ERR_REFUSED, expected);
	fetch_fixture_done(&f);
}

/* Too long for a label: no name server is asked. */
#define NO_NAME "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeee.example"

static void test_no_such_name(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, hold);
	fetch_fixture_get(&f, "http://" NO_NAME "/");
	fetch_fixture_expect_error(&f, ERR_DNS, NO_NAME ": the name does not resolve");
	fetch_fixture_done(&f);
}

/* Given up while a thread of curl's asks for the name. */
static void test_cancel_while_resolving(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, hold);
	fetch_fixture_start(&f, (struct fetch_request){ .url = STR("http://localhost:1/") });
	loop_turn(f.loop, false);
	loop_turn(f.loop, false);
	fetch_cancel(f.fetch);
	fetch_fixture_get(&f, "http://localhost:1/");
	fetch_fixture_expect_error(&f, ERR_REFUSED, "localhost:1: no connection");
	fetch_fixture_done(&f);
}

static void test_tls_with_whom_has_none(void **state)
{
	struct fetch_fixture f;
	struct raw_peer *raw;
	char url[64];

	fetch_fixture_init(&f, hold);
	raw = raw_peer_open(f.loop, STR("HTTP/1.1 400 Bad Request\r\n\r\n"));
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", raw_peer_port(raw));
	fetch_fixture_get(&f, url);
	fetch_fixture_expect_error(&f, ERR_TLS, "127.0.0.1:");
	assert_non_null(strstr(f.error.text, ": TLS failed: wrong version number"));
	raw_peer_close(raw);
	fetch_fixture_done(&f);
}

/* ---- answers that are none ---- */

struct garbage_case {
	struct str says;
	enum err_kind kind; /* ERR_NONE: a response, after all */
	const char *text;
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct garbage_case garbage_cases[] = {
	{ STR(""), ERR_CLOSED, "it closed the connection without an answer" },
	{ STR("secret\r\n\r\n"), ERR_PROTOCOL, "the answer is not HTTP" },
	{ STR("\0\0\0secret"), ERR_PROTOCOL, "the answer is not HTTP" },
	{ STR("SSH-2.0-secret\r\n"), ERR_PROTOCOL, "the answer is not HTTP" },
	{ STR("HTTP/9.9 200 secret\r\n\r\n"), ERR_PROTOCOL, "the answer is not HTTP" },
	{ STR(OK_HEAD "Content-Length: 99\r\n\r\nsecret"), ERR_CLOSED,
	  "it closed the connection within the answer" },
	{ STR(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nsec"), ERR_CLOSED,
	  "it closed the connection within the answer" },
	{ STR(OK_HEAD "Transfer-Encoding: chunked\r\n\r\nsecret\r\n"), ERR_RESET,
	  "the answer is garbled" },
	{ STR(OK_HEAD "Content-Length: secret\r\n\r\n"), ERR_PROTOCOL, "the answer is not HTTP" },
	{ STR(OK_HEAD "\r\nto the end"), ERR_NONE, "" },
	{ STR("HTTP/1.1 103 Early Hints\r\nContent-Type: x/y\r\nCache-Control: max-age=9\r\n\r\n" OK_HEAD
	      "Content-Length: 0\r\n\r\n"),
	  ERR_NONE, "" },
};

static void test_garbage(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(garbage_cases); i++) {
		const struct garbage_case *c = &garbage_cases[i];
		struct fetch_fixture f;
		struct raw_peer *raw;
		char url[64];

		fetch_fixture_init(&f, hold);
		raw = raw_peer_open(f.loop, c->says);
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", raw_peer_port(raw));
		fetch_fixture_get(&f, url);
		if (c->kind == ERR_NONE) {
			assert_int_equal(f.status, 200);
			assert_string_equal(f.content_type, "");
			assert_int_equal(f.max_age_s, -1);
		} else if (f.error.kind != c->kind || !strstr(f.error.text, c->text) ||
			   strstr(f.error.text, "secret")) {
			fail_msg("%.*s: got %s \"%s\"", STR_FMT(c->says),
				 err_kind_name(f.error.kind), f.error.text);
		}
		raw_peer_close(raw);
		fetch_fixture_done(&f);
	}
}

/* Interim responses count as well, or else they could go on for ever. */
static void test_head_over_limit(void **state)
{
	static const char *const beginnings[] = { OK_HEAD, "HTTP/1.1 102 Processing\r\n\r\n",
						  OK_HEAD
						  "Transfer-Encoding: chunked\r\n\r\n0\r\n" };
	static const char *const pieces[] = { "a: b\r\n", "HTTP/1.1 102 Processing\r\n\r\n",
					      "a: b\r\n" };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf says = BUF_INIT(FETCH_HEAD_MAX + 1000);
		struct fetch_fixture f;
		struct raw_peer *raw;
		char url[64];

		(void)buf_append_str(&says, str_from(beginnings[i]));
		while (says.len <= FETCH_HEAD_MAX + 100)
			(void)buf_append_str(&says, str_from(pieces[i]));
		(void)buf_append_str(&says, STR("\r\n"));
		fetch_fixture_init(&f, hold);
		raw = raw_peer_open(f.loop, buf_view(&says));
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", raw_peer_port(raw));
		fetch_fixture_get(&f, url);
		fetch_fixture_expect_error(&f, ERR_LIMIT, "127.0.0.1:");
		assert_non_null(
			strstr(f.error.text, "the head of the answer is larger than 65536"));
		raw_peer_close(raw);
		fetch_fixture_done(&f);
		buf_done(&says);
	}
}

static void answer_with_path(struct http_peer_call *call)
{
	http_peer_respond(call, &(struct http_response){
					.status = 200,
					.body = call->request->path,
				});
}

static void test_body_over_limit(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, answer_with_path);
	for (size_t max = 1; max <= 5; max++) {
		fetch_fixture_start(&f, (struct fetch_request){
						.url = fetch_fixture_url(&f, "/four"),
						.body_max = max,
					});
		fetch_fixture_wait(&f, (unsigned)max);
		if (max == 5) {
			assert_int_equal(f.status, 200);
			assert_string_equal(f.body, "/four");
			continue;
		}
		fetch_fixture_expect_error(&f, ERR_LIMIT, "127.0.0.1:");
		assert_non_null(strstr(f.error.text, ": the answer is larger than "));
	}
	fetch_fixture_done(&f);
}

/* ---- too late ---- */

static void test_timeout(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, hold);
	fetch_fixture_start(&f, (struct fetch_request){ .url = fetch_fixture_url(&f, "/?secret"),
							.timeout_ms = SHORT_MS });
	fetch_fixture_wait(&f, 1);
	assert_non_null(f.held);
	fetch_fixture_expect_error(&f, ERR_TIMEOUT, "127.0.0.1:");
	assert_non_null(strstr(f.error.text, ": no complete answer within 0.05 s"));
	/* the connection was not kept: this answer would be taken for the next one's */
	http_peer_respond(f.held, &(struct http_response){ .status = 200 });
	while (http_peer_connected(f.peer) > 0)
		loop_turn(f.loop, true);
	fetch_fixture_done(&f);
}

static void test_timeout_while_waiting(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, hold);
	for (int i = 0; i < FETCHES_MAX; i++)
		fetch_fixture_start(&f,
				    (struct fetch_request){ .url = fetch_fixture_url(&f, "/") });
	fetch_fixture_start(&f, (struct fetch_request){ .url = fetch_fixture_url(&f, "/"),
							.timeout_ms = SHORT_MS });
	fetch_fixture_wait(&f, 1);
	fetch_fixture_expect_error(&f, ERR_TIMEOUT, "127.0.0.1:");
	assert_non_null(strstr(f.error.text, ": not asked within 0.05 s: 64 other requests"));
	fetch_fixture_done(&f);
}

/* ---- given up ---- */

static void answer_and_count(struct http_peer_call *call)
{
	(void)fetch_fixture_note(call);
	hold(call);
}

static void test_cancel_at_every_turn(void **state)
{
	for (int turns = 0; turns < 12; turns++) {
		struct fetch_fixture f;

		fetch_fixture_init(&f, answer_with_path);
		fetch_fixture_start(&f,
				    (struct fetch_request){ .url = fetch_fixture_url(&f, "/") });
		for (int i = 0; i < turns && f.done_count == 0; i++)
			loop_turn(f.loop, false);
		if (f.done_count == 0)
			fetch_cancel(f.fetch);
		for (int i = 0; i < 20; i++)
			loop_turn(f.loop, false);
		assert_true(f.done_count <= 1);
		fetch_fixture_done(&f);
	}
}

static void test_cancel_before_it_began(void **state)
{
	struct fetch_fixture f;

	fetch_cancel(NULL);
	fetch_fixture_init(&f, answer_and_count);
	fetch_fixture_start(&f, (struct fetch_request){ .url = fetch_fixture_url(&f, "/") });
	fetch_cancel(f.fetch);
	/* and one that has failed, but not been told */
	fetch_fixture_start(&f, (struct fetch_request){ .url = STR("nothing") });
	fetch_cancel(f.fetch);
	for (int i = 0; i < 20; i++)
		loop_turn(f.loop, false);
	fetch_fixture_expect_diary(&f, "");
	assert_int_equal(f.done_count, 0);
	fetch_fixture_done(&f);
}

static void test_cancel_while_it_is_asked(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, answer_and_count);
	fetch_fixture_start(&f, (struct fetch_request){ .url = fetch_fixture_url(&f, "/") });
	while (!f.held)
		loop_turn(f.loop, true);
	fetch_cancel(f.fetch);
	http_peer_respond(f.held, &(struct http_response){ .status = 200 });
	while (http_peer_connected(f.peer) > 0)
		loop_turn(f.loop, true);
	assert_int_equal(f.done_count, 0);
	fetch_fixture_done(&f);
}

static void cancel_myself(struct fetch_fixture *f)
{
	fetch_cancel(f->fetch);
}

static void free_everything(struct fetch_fixture *f)
{
	fetcher_free(TAKE(f->fetcher));
}

static void start_another(struct fetch_fixture *f)
{
	f->on_done = f->done_count < 3 ? start_another : NULL;
	fetch_fixture_start(f, (struct fetch_request){ .url = STR("nothing") });
}

static void test_anything_goes_in_on_done(void **state)
{
	static void (*const actions[])(struct fetch_fixture * f) = { cancel_myself,
								     free_everything };
	struct fetch_fixture f;

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		fetch_fixture_init(&f, answer_with_path);
		f.on_done = actions[i];
		fetch_fixture_start(&f,
				    (struct fetch_request){ .url = fetch_fixture_url(&f, "/") });
		fetch_fixture_wait(&f, 1);
		fetch_fixture_done(&f);
	}
	fetch_fixture_init(&f, answer_with_path);
	f.on_done = free_everything;
	for (int i = 0; i < 3; i++)
		fetch_fixture_start(&f, (struct fetch_request){ .url = STR("nothing") });
	fetch_fixture_wait(&f, 1);
	fetch_fixture_done(&f);

	fetch_fixture_init(&f, answer_with_path);
	f.on_done = start_another;
	fetch_fixture_start(&f, (struct fetch_request){ .url = STR("nothing") });
	fetch_fixture_wait(&f, 4);
	fetch_fixture_done(&f);
}

/* One each turn: what fails at once must not keep the loop from everything else. */
static void test_failing_again_and_again_leaves_the_loop(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, answer_with_path);
	f.on_done = start_another;
	fetch_fixture_start(&f, (struct fetch_request){ .url = STR("nothing") });
	loop_turn(f.loop, false);
	assert_int_equal(f.done_count, 1);
	loop_turn(f.loop, false);
	assert_int_equal(f.done_count, 2);
	fetch_fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_bad_requests),
		cmocka_unit_test(test_refuses_huge_header),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_such_name),
		cmocka_unit_test(test_cancel_while_resolving),
		cmocka_unit_test(test_tls_with_whom_has_none),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_head_over_limit),
		cmocka_unit_test(test_body_over_limit),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timeout_while_waiting),
		cmocka_unit_test(test_cancel_at_every_turn),
		cmocka_unit_test(test_cancel_before_it_began),
		cmocka_unit_test(test_cancel_while_it_is_asked),
		cmocka_unit_test(test_anything_goes_in_on_done),
		cmocka_unit_test(test_failing_again_and_again_leaves_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
