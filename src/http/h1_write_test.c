#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/h1_write.h"
#include "tests/support/clock_fake.h"

#define DATE "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"

static void expect(struct buf *out, const char *text)
{
	if (!str_equal(buf_view(out), str_from(text)))
		fail_msg("%.*s", STR_FMT(buf_view(out)));
	buf_done(out);
}

struct response_case {
	int status;
	struct h1_response_form form;
	const char *text;
};

static const struct response_case cases[] = {
	{ 200, { 0 }, "HTTP/1.1 200 OK\r\na: b\r\n" DATE "content-length: 2\r\n\r\nhi" },
	{ 200,
	  { .close = true, .says_keep_alive = true },
	  "HTTP/1.1 200 OK\r\na: b\r\n" DATE "content-length: 2\r\nconnection: close\r\n\r\nhi" },
	{ 200,
	  { .says_keep_alive = true },
	  "HTTP/1.1 200 OK\r\na: b\r\n" DATE
	  "content-length: 2\r\nconnection: keep-alive\r\n\r\nhi" },
	{ 200,
	  { .kind = H1_RESPONSE_TO_HEAD },
	  "HTTP/1.1 200 OK\r\na: b\r\n" DATE "content-length: 2\r\n\r\n" },
	{ 200,
	  { .kind = H1_RESPONSE_TUNNEL, .close = true },
	  "HTTP/1.1 200 OK\r\na: b\r\n" DATE "\r\n" },
	{ 204, { 0 }, "HTTP/1.1 204 No Content\r\na: b\r\n" DATE "\r\n" },
	{ 304, { 0 }, "HTTP/1.1 304 Not Modified\r\na: b\r\n" DATE "content-length: 2\r\n\r\n" },
	{ 299, { 0 }, "HTTP/1.1 299 \r\na: b\r\n" DATE "content-length: 2\r\n\r\nhi" },
};

static void test_responses(void **state)
{
	const struct http_header headers[] = { { STR("a"), STR("b") } };

	clock_fake_set_unix(1767225600);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct http_response response = {
			.status = cases[i].status,
			.headers = headers,
			.header_count = 1,
			.body = STR("hi"),
		};
		struct buf out = BUF_INIT(4096);

		h1_write_response(&out, &response, &cases[i].form);
		expect(&out, cases[i].text);
	}
}

static void test_request(void **state)
{
	const struct http_header headers[] = { { STR("User-Agent"), STR("x y") } };
	const struct h1_request_head request = {
		.method = STR("POST"),
		.target = STR("/p?q"),
		.host = STR("a:1"),
		.headers = headers,
		.header_count = 1,
		.body = STR("hi"),
		.close = true,
	};
	struct buf out = BUF_INIT(4096);
	struct err e;

	assert_int_equal(h1_write_request(&out, &request, &e), 0);
	expect(&out, "POST /p?q HTTP/1.1\r\nHost: a:1\r\nUser-Agent: x y\r\n"
		     "Content-Length: 2\r\nConnection: close\r\n\r\nhi");
}

static void test_unclean_requests_are_refused(void **state)
{
	static const struct http_header bad_value = { STR("a"), STR("b\r\nc: d") };
	static const struct http_header bad_nul = { STR("a"), STR("b\0") };
	static const struct http_header bad_name = { STR("a b"), STR("c") };
	const struct h1_request_head requests[] = {
		{ .method = STR("GET "), .target = STR("/"), .host = STR("a") },
		{ .method = STR("GET"), .target = STR("/ x"), .host = STR("a") },
		{ .method = STR("GET"), .target = STR("/\r\n"), .host = STR("a") },
		{ .method = STR("GET"), .target = STR(""), .host = STR("a") },
		{ .method = STR("GET"), .target = STR("/"), .host = STR("a\nb") },
		{ .method = STR("GET"), .target = STR("/"), .host = STR("") },
		{ STR("GET"), STR("/"), STR("a"), &bad_value, 1, { 0 }, false },
		{ STR("GET"), STR("/"), STR("a"), &bad_nul, 1, { 0 }, false },
		{ STR("GET"), STR("/"), STR("a"), &bad_name, 1, { 0 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct buf out = BUF_INIT(4096);
		struct err e = { 0 };

		assert_int_equal(h1_write_request(&out, &requests[i], &e), -1);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_int_equal(out.len, 0);
		buf_done(&out);
	}
}

static void test_request_too_large(void **state)
{
	const struct h1_request_head request = {
		.method = STR("GET"),
		.target = STR("/0123456789"),
		.host = STR("a"),
	};
	struct buf out = BUF_INIT(16);
	struct err e = { 0 };

	assert_int_equal(h1_write_request(&out, &request, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(out.len, 0);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_unclean_requests_are_refused),
		cmocka_unit_test(test_request_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
