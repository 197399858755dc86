#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/h1_parse.h"

#define HOST "Host: a.example\r\n"
#define END  "\r\n"

/* ---- requests that are accepted ---- */

struct request_case {
	const char *head;
	const char *authority;
	const char *path;
	const char *query;
	bool keep_alive;
};

static const struct request_case good[] = {
	{ "GET / HTTP/1.1\r\n" HOST END, "a.example", "/", "", true },
	{ "GET /a%2Fb?x=1&y=? HTTP/1.1\r\n" HOST END, "a.example", "/a%2Fb", "x=1&y=?", true },
	{ "GET /? HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", "a.example:8080", "/", "", true },
	{ "GET / HTTP/1.1\r\nhOsT:\t[::1]:80 \t\r\n\r\n", "[::1]:80", "/", "", true },
	{ "GET //x HTTP/1.1\r\n" HOST END, "a.example", "//x", "", true },
	{ "get / HTTP/1.1\r\n" HOST END, "a.example", "/", "", true },
	{ "GET http://b.example/p?q HTTP/1.1\r\n" HOST END, "b.example", "/p", "q", true },
	{ "GET HTTPS://b.example:1/ HTTP/1.1\r\n" HOST END, "b.example:1", "/", "", true },
	{ "GET http://b.example HTTP/1.1\r\n" HOST END, "b.example", "/", "", true },
	{ "GET http://b.example?q=/ HTTP/1.1\r\n" HOST END, "b.example", "/", "q=/", true },
	{ "OPTIONS http://b.example HTTP/1.1\r\n" HOST END, "b.example", "*", "", true },
	{ "OPTIONS * HTTP/1.1\r\n" HOST END, "a.example", "*", "", true },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", "a.example", "/", "", false },
	{ "GET / HTTP/1.0\r\n\r\n", "", "/", "", false },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "", "/", "", true },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "", "/", "", false },
	{ "GET / HTTP/1.0\r\n" HOST END, "a.example", "/", "", false },
	{ "CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n", "db.example:5432",
	  "", "", true },
	{ "CONNECT db.example:5432 HTTP/1.1\r\nHost: other.example\r\n\r\n", "db.example:5432", "",
	  "", true },
	{ "CONNECT [2001:db8::1]:22 HTTP/1.1\r\n" HOST END, "[2001:db8::1]:22", "", "", true },
	{ "CONNECT db.example:22 HTTP/1.0\r\n\r\n", "db.example:22", "", "", false },
	{ "CONNECT db.example:22 HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "db.example:22",
	  "", "", true },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n", "a.example", "/", "", true },
	{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", "a.example", "/", "",
	  true },
};

static void check_text(const struct request_case *c, struct str got, const char *expected)
{
	if (!str_equal(got, str_from(expected)))
		fail_msg("%s: \"%.*s\" instead of \"%s\"", c->head, STR_FMT(got), expected);
}

static void test_good_requests(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct request_case *c = &good[i];
		struct arena arena = { 0 };
		struct http_request r;
		struct err e;

		if (h1_parse_request(str_from(c->head), &arena, &r, &e))
			fail_msg("%s: %s", c->head, e.text);
		check_text(c, r.authority, c->authority);
		check_text(c, r.path, c->path);
		check_text(c, r.query, c->query);
		assert_int_equal(r.keep_alive, c->keep_alive);
		assert_int_equal(r.is_connect, str_starts_with(r.method, STR("CONNECT")));
		assert_int_equal(r.body.len, 0);
		arena_done(&arena);
	}
}

static void test_request_parts(void **state)
{
	struct str head = STR(
		"PUT /x HTTP/1.1\r\nHost: a\r\nX-One:  1 2\t\r\nx-one: 3\r\nY:\r\n\r\n");
	struct arena arena = { 0 };
	struct http_request r;
	struct str value;
	struct err e;

	assert_int_equal(h1_parse_request(head, &arena, &r, &e), 0);
	assert_true(str_equal(r.method, STR("PUT")));
	assert_true(str_equal(r.target, STR("/x")));
	assert_int_equal(r.minor_version, 1);
	assert_int_equal(r.headers.count, 4);
	assert_true(str_equal(r.headers.items[1].name, STR("X-One")));
	assert_true(http_headers_get(&r.headers, STR("x-ONE"), &value));
	assert_true(str_equal(value, STR("1 2")));
	assert_true(http_headers_get(&r.headers, STR("y"), &value));
	assert_int_equal(value.len, 0);
	assert_false(http_headers_get(&r.headers, STR("z"), &value));
	arena_done(&arena);
}

/* ---- requests that are refused ---- */

static const struct str bad[] = {
	STR(""),
	STR("\r\n"),
	STR("GET / HTTP/1.1"),
	STR("GET / HTTP/1.1\r\n" HOST),
	STR("GET / HTTP/1.1\r\n" HOST END "x"),
	STR("GET / HTTP/1.1\n" HOST END),
	/* the request line */
	STR("GET /\r\n" HOST END),
	STR("GET\r\n" HOST END),
	STR(" / HTTP/1.1\r\n" HOST END),
	STR("GET  / HTTP/1.1\r\n" HOST END),
	STR("GET /  HTTP/1.1\r\n" HOST END),
	STR("GET / HTTP/1.1 \r\n" HOST END),
	STR("GET / a HTTP/1.1\r\n" HOST END),
	STR("GET\t/ HTTP/1.1\r\n" HOST END),
	STR("G(T / HTTP/1.1\r\n" HOST END),
	STR("GET / HTTP/2.0\r\n" HOST END),
	STR("GET / HTTP/1.2\r\n" HOST END),
	STR("GET / HTTP/0.9\r\n" HOST END),
	STR("GET / HTTP/1.10\r\n" HOST END),
	STR("GET / http/1.1\r\n" HOST END),
	/* the target */
	STR("GET a HTTP/1.1\r\n" HOST END),
	STR("GET * HTTP/1.1\r\n" HOST END),
	STR("GET /a#b HTTP/1.1\r\n" HOST END),
	STR("GET /a\tb HTTP/1.1\r\n" HOST END),
	STR("GET /\x80 HTTP/1.1\r\n" HOST END),
	STR("GET /\x7f HTTP/1.1\r\n" HOST END),
	STR("GET /\0 HTTP/1.1\r\n" HOST END),
	STR("GET ftp://a.example/ HTTP/1.1\r\n" HOST END),
	STR("GET http:///x HTTP/1.1\r\n" HOST END),
	STR("GET http://u@b.example/ HTTP/1.1\r\n" HOST END),
	STR("GET http://b.example:/ HTTP/1.1\r\n" HOST END),
	STR("GET a.example:80 HTTP/1.1\r\n" HOST END),
	/* CONNECT */
	STR("CONNECT db.example HTTP/1.1\r\n" HOST END),
	STR("CONNECT db.example: HTTP/1.1\r\n" HOST END),
	STR("CONNECT :22 HTTP/1.1\r\n" HOST END),
	STR("CONNECT db.example:0 HTTP/1.1\r\n" HOST END),
	STR("CONNECT db.example:65536 HTTP/1.1\r\n" HOST END),
	STR("CONNECT db.example:ssh HTTP/1.1\r\n" HOST END),
	STR("CONNECT u@db.example:22 HTTP/1.1\r\n" HOST END),
	STR("CONNECT db.example:22/x HTTP/1.1\r\n" HOST END),
	STR("CONNECT / HTTP/1.1\r\n" HOST END),
	STR("CONNECT http://db.example:22 HTTP/1.1\r\n" HOST END),
	STR("CONNECT ::1:22 HTTP/1.1\r\n" HOST END),
	STR("CONNECT db.example:22 HTTP/1.1\r\n\r\n"),
	STR("CONNECT db.example:22 HTTP/1.1\r\nHost: a b\r\n\r\n"),
	STR("CONNECT db.example:22 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"),
	STR("CONNECT db.example:22 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
	/* Host */
	STR("GET / HTTP/1.1\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST HOST END),
	STR("GET / HTTP/1.0\r\n" HOST HOST END),
	STR("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
	STR("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
	STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
	STR("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
	STR("GET / HTTP/1.1\r\nHost: *.example\r\n\r\n"),
	STR("GET http://b.example/ HTTP/1.1\r\nHost:\r\n\r\n"),
	/* headers */
	STR("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X : x\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST " X: x\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X: x\r\n y\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X_Y: x\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X\x80: x\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"),
	STR("GET / HTTP/1.1\r\n" HOST "X: a\nb\r\n\r\n"),
	/* framing */
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"),
	STR("POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	STR("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
};

static void test_bad_requests(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct http_request r = { .minor_version = 77 };
		struct arena arena = { 0 };
		struct err e = { 0 };

		if (h1_parse_request(bad[i], &arena, &r, &e) != -1)
			fail_msg("accepted: %.*s", STR_FMT(bad[i]));
		assert_int_equal(e.kind, ERR_PROTOCOL);
		assert_true(e.text[0] != '\0');
		assert_int_equal(r.minor_version, 77); /* untouched */
		arena_done(&arena);
	}
}

static void test_credentials_stay_out_of_errors(void **state)
{
	struct str head = STR("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: s3cr3t\x01\r\n\r\n");
	struct arena arena = { 0 };
	struct http_request r;
	struct err e;

	assert_int_equal(h1_parse_request(head, &arena, &r, &e), -1);
	assert_false(str_contains(str_from(e.text), STR("s3cr3t")));
	arena_done(&arena);
}

static void test_too_many_headers(void **state)
{
	struct buf head = BUF_INIT(HTTP_HEAD_MAX);
	struct arena arena = { 0 };
	struct http_request r;
	struct err e;

	(void)buf_append_str(&head, STR("GET / HTTP/1.1\r\n"));
	for (size_t i = 0; i <= HTTP_HEADERS_MAX; i++)
		(void)buf_append_str(&head, STR("a:\r\n"));
	assert_int_equal(buf_append_str(&head, STR("\r\n")), 0);
	assert_int_equal(h1_parse_request(buf_view(&head), &arena, &r, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	arena_done(&arena);
	buf_done(&head);
}

/* ---- responses ---- */

struct response_case {
	struct str head;
	int status; /* 0: refused */
};

static const struct response_case responses[] = {
	{ STR("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"), 200 },
	{ STR("HTTP/1.1 200 \r\n\r\n"), 200 },
	{ STR("HTTP/1.1 200\r\n\r\n"), 200 },
	{ STR("HTTP/1.0 404 Not Found\r\n\r\n"), 404 },
	{ STR("HTTP/1.1 495 a\tb \xc3\xa9\r\n\r\n"), 495 },
	{ STR("HTTP/1.1 100 Continue\r\n\r\n"), 100 },
	{ STR("HTTP/1.1 200 OK\r\nx_y: under score\r\n\r\n"), 200 },
	{ STR("HTTP/1.1 20 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 2000 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 099 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 2x0 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 -20 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1  200 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1\r\n\r\n"), 0 },
	{ STR("HTTP/2 200\r\n\r\n"), 0 },
	{ STR("ICY 200 OK\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 200 O\x01K\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 200 OK\r\nx y: z\r\n\r\n"), 0 },
	{ STR("HTTP/1.1 200 OK\r\n"), 0 },
};

static void test_responses(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
		struct h1_response_head r = { 0 };
		struct arena arena = { 0 };
		struct err e = { 0 };
		int result = h1_parse_response(responses[i].head, &arena, &r, &e);

		if (r.status != responses[i].status)
			fail_msg("%.*s: %d", STR_FMT(responses[i].head), r.status);
		assert_int_equal(result, responses[i].status ? 0 : -1);
		assert_int_equal(e.kind, responses[i].status ? ERR_NONE : ERR_PROTOCOL);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_requests),
		cmocka_unit_test(test_request_parts),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_credentials_stay_out_of_errors),
		cmocka_unit_test(test_too_many_headers),
		cmocka_unit_test(test_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
