/*
 * Heads of HTTP/2 mean what the same head means in HTTP/1.1, and are refused for the same reasons.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/h2_head.h"

struct field {
	const char *name;
	const char *value;
};

struct request_case {
	struct field fields[8];
	int status; /* 0: fine */
	const char *target;
	const char *authority;
	const char *path;
	const char *query;
	const char *cookie;
};

static void fill(struct h2_head *h, const struct field *fields, size_t count)
{
	h2_head_init(h);
	for (size_t i = 0; i < count && fields[i].name; i++)
		h2_head_add(h, str_from(fields[i].name), str_from(fields[i].value));
}

static void expect_str(struct str s, const char *expected)
{
	assert_true(str_equal(s, str_from(expected)));
}

#define GET                                                                                        \
	{ ":method", "GET" },                                                                      \
	{                                                                                          \
		":scheme", "https"                                                                 \
	}
#define AUTHORITY                                                                                  \
	{                                                                                          \
		":authority", "a.example"                                                          \
	}
#define EXTENDED(protocol)                                                                         \
	{ ":method", "CONNECT" }, { ":scheme", "https" }, { ":authority", "lb.example:443" },      \
	{                                                                                          \
		":protocol", (protocol)                                                            \
	}
#define CONNECT(to)                                                                                \
	{ ":method", "CONNECT" },                                                                  \
	{                                                                                          \
		":authority", (to)                                                                 \
	}

static const struct request_case request_cases[] = {
	{ { GET, AUTHORITY, { ":path", "/x?y=1" } }, 0, "/x?y=1", "a.example", "/x", "y=1", NULL },
	{ { CONNECT("db.example:5432") }, 0, "db.example:5432", "db.example:5432", "", "", NULL },
	{ { GET, AUTHORITY, { ":path", "/" }, { "cookie", "a=b" }, { "cookie", "c=d" } },
	  0,
	  "/",
	  "a.example",
	  "/",
	  "",
	  "a=b; c=d" },
	{ { GET, { ":path", "/" }, { "host", "h.example" } }, 0, "/", "h.example", "/", "", NULL },
	{ { GET, AUTHORITY, { ":path", "/" }, { "host", "A.example" } },
	  0,
	  "/",
	  "a.example",
	  "/",
	  "",
	  NULL },
	{ { EXTENDED("connect-tcp"), { ":path", "/.well-known/masque/tcp/db.example/5432/" } },
	  0,
	  "db.example:5432",
	  "db.example:5432",
	  "",
	  "",
	  NULL },
	{ { EXTENDED("connect-tcp"), { ":path", "/" } },
	  0,
	  "lb.example:443",
	  "lb.example:443",
	  "",
	  "",
	  NULL },
	{ .fields = { EXTENDED("websocket"), { ":path", "/" } }, .status = 501 },
	{ .fields = { EXTENDED("connect-tcp"), { ":path", "/.well-known/masque/tcp/db.example" } },
	  .status = 400 },
	{ .fields = { EXTENDED("connect-tcp"),
		      { ":path", "/.well-known/masque/tcp/db.example/5432/x" } },
	  .status = 400 },
	{ .fields = { EXTENDED("websocket"),
		      { ":path", "/.well-known/masque/tcp/db.example/5432/" },
		      { "sec-websocket-version", "13" } },
	  .target = "db.example:5432",
	  .authority = "db.example:5432",
	  .path = "",
	  .query = "" },
	{ .fields = { EXTENDED("websocket"),
		      { ":path", "/.well-known/masque/tcp/2001%3Adb8%3A%3A1/22/" },
		      { "sec-websocket-version", "13" } },
	  .target = "[2001:db8::1]:22",
	  .authority = "[2001:db8::1]:22",
	  .path = "",
	  .query = "" },
	{ .fields = { EXTENDED("websocket"),
		      { ":path", "/.well-known/masque/tcp/db.example/5432/" } },
	  .status = 426 },
	{ .fields = { EXTENDED("websocket"),
		      { ":path", "/.well-known/masque/tcp/db.example/5432/" },
		      { "sec-websocket-version", "8" } },
	  .status = 426 },
	{ .fields = { EXTENDED("connect-tcp"), { ":path", "/.well-known/masque/tcp//5432/" } },
	  .status = 400 },
	{ .fields = { EXTENDED("connect-tcp"), { ":path", "/.well-known/masque/tcp/a b/5432/" } },
	  .status = 400 },
	{ .fields = { GET, AUTHORITY, { ":path", "/" }, { "host", "b.example" } }, .status = 400 },
	{ .fields = { GET, AUTHORITY, { ":path", "/" }, { "x_y", "1" } }, .status = 400 },
	{ .fields = { GET, AUTHORITY, { ":path", "/ HTTP/1.1" } }, .status = 400 },
	{ .fields = { GET, AUTHORITY, { ":path", "" } }, .status = 400 },
	{ .fields = { GET, AUTHORITY, { ":path", "no-slash" } }, .status = 400 },
	{ .fields = { GET, AUTHORITY, { ":path", "/" }, { "x", "a\r\nb: c" } }, .status = 400 },
	{ .fields = { GET, { ":authority", "a.example\r\nx: y" }, { ":path", "/" } },
	  .status = 400 },
	{ .fields = { { ":method", "GET /evil HTTP/1.1" }, AUTHORITY, { ":path", "/" } },
	  .status = 400 },
	{ .fields = { CONNECT("db.example") }, .status = 400 },
	{ .fields = { CONNECT("") }, .status = 400 },
	{ .fields = { GET, { ":path", "/" } }, .status = 400 },
};

static bool asks_for_websocket(const struct request_case *c)
{
	for (size_t i = 0; i < ARRAY_LEN(c->fields); i++)
		if (c->fields[i].value && strcmp(c->fields[i].value, "websocket") == 0)
			return true;
	return false;
}

static void test_requests(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(request_cases); i++) {
		const struct request_case *c = &request_cases[i];
		struct http_request request;
		struct h2_head h;
		struct err e;
		struct str cookie = { 0 };

		print_message("case %zu\n", i);
		fill(&h, c->fields, ARRAY_LEN(c->fields));
		assert_int_equal(h2_head_request(&h, &request, &e), c->status);
		if (c->status == 0) {
			expect_str(request.target, c->target);
			assert_int_equal(request.is_websocket, asks_for_websocket(c));
			assert_int_equal(request.is_connect,
					 str_equal(request.method, STR("CONNECT")));
			expect_str(request.authority, c->authority);
			expect_str(request.path, c->path);
			expect_str(request.query, c->query);
			assert_int_equal(http_headers_get(&request.headers, STR("cookie"), &cookie),
					 c->cookie != NULL);
			expect_str(cookie, c->cookie ? c->cookie : "");
		}
		h2_head_done(&h);
	}
}

static void test_limits(void **state)
{
	static const size_t values[] = { 1000, 60000, HTTP_HEAD_MAX };
	char *value = mem_alloc(HTTP_HEAD_MAX + 1);

	memset(value, 'v', HTTP_HEAD_MAX);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct http_request request;
		struct h2_head h;
		struct err e;

		fill(&h, (const struct field[]){ GET, AUTHORITY, { ":path", "/" } }, 4);
		for (int n = 0; n < 200; n++)
			h2_head_add(&h, STR("x"), str_of(value, values[i]));
		assert_int_equal(h2_head_request(&h, &request, &e), 431);
		assert_true(h.fields.len <= HTTP_HEAD_MAX); /* the rest is not kept */
		h2_head_done(&h);
	}
	mem_free(value);
}

static void test_too_many(void **state)
{
	struct http_request request;
	struct h2_head h;
	struct err e;

	fill(&h, (const struct field[]){ GET, AUTHORITY, { ":path", "/" } }, 4);
	for (int n = 0; n < HTTP_HEADERS_MAX; n++)
		h2_head_add(&h, STR("x"), STR(""));
	assert_int_equal(h2_head_request(&h, &request, &e), 431);
	h2_head_done(&h);
}

static void test_responses(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "200", 200 }, { "302", 302 }, { "103", 103 }, { "", 0 },
		{ "20", 0 },    { "2000", 0 },  { "abc", 0 },   { "200 OK", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_headers headers;
		struct h2_head h;
		struct str value;
		int status = 0;
		struct err e;

		fill(&h, (const struct field[]){ { ":status", cases[i].text }, { "server", "x" } },
		     2);
		if (h2_head_response(&h, &status, &headers, &e) == 0) {
			assert_true(http_headers_get(&headers, STR("Server"), &value));
			expect_str(value, "x");
		}
		assert_int_equal(status, cases[i].status);
		h2_head_done(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
