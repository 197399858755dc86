#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/h1_parse.h"

#define CONTENT_MAX 64

enum verdict { WHOLE, PART, REFUSED, TOO_LARGE };

struct body_case {
	const char *name;
	struct h1_body body;
	struct str data;
	enum verdict verdict;
	const char *content; /* of WHOLE and PART */
	size_t rest;         /* bytes that are not consumed */
};

#define CHUNKED                                                                                    \
	{                                                                                          \
		.kind = H1_BODY_CHUNKED                                                            \
	}
#define LENGTH(n)                                                                                  \
	{                                                                                          \
		.kind = H1_BODY_LENGTH, .left = (n)                                                \
	}

#define SIXTEEN    "0123456789abcdef"
#define SIXTY_FOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define EXT_256    SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR

static const struct body_case cases[] = {
	{ "length", LENGTH(5), STR("hello"), WHOLE, "hello", 0 },
	{ "length, more behind", LENGTH(5), STR("hello GET"), WHOLE, "hello", 4 },
	{ "length, part", LENGTH(9), STR("hello"), PART, "hello", 0 },
	{ "length, largest", LENGTH(64), STR(SIXTY_FOUR), WHOLE, SIXTY_FOUR, 0 },
	{ "length, too large", LENGTH(65), STR(SIXTY_FOUR "x"), TOO_LARGE, NULL, 0 },
	{ "until end", { .kind = H1_BODY_UNTIL_END }, STR("a\r\n\0b"), PART, NULL, 0 },
	{ "until end, too large",
	  { .kind = H1_BODY_UNTIL_END },
	  STR(SIXTY_FOUR "x"),
	  TOO_LARGE,
	  NULL,
	  0 },
	{ "chunks", CHUNKED, STR("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), WHOLE, "hello!", 0 },
	{ "chunks, more behind", CHUNKED, STR("1\r\nx\r\n0\r\n\r\nGET"), WHOLE, "x", 3 },
	{ "no content", CHUNKED, STR("0\r\n\r\n"), WHOLE, "", 0 },
	{ "both cases of hex", CHUNKED, STR("0A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
	  WHOLE, "01234567890123456789", 0 },
	{ "content with CRLF", CHUNKED, STR("4\r\n\r\n\r\n\r\n0\r\n\r\n"), WHOLE, "\r\n\r\n", 0 },
	{ "sixteen digits", CHUNKED, STR("0000000000000001\r\nx\r\n0\r\n\r\n"), WHOLE, "x", 0 },
	{ "extension", CHUNKED, STR("1;a=\"b c\";d\r\nx\r\n0;e\r\n\r\n"), WHOLE, "x", 0 },
	{ "longest extension", CHUNKED, STR("1;" EXT_256 "\r\nx\r\n0\r\n\r\n"), WHOLE, "x", 0 },
	{ "trailers", CHUNKED, STR("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), WHOLE, "x", 0 },
	{ "unfinished size", CHUNKED, STR("5"), PART, "", 0 },
	{ "unfinished chunk", CHUNKED, STR("5\r\nhel"), PART, "hel", 0 },
	{ "unfinished end", CHUNKED, STR("1\r\nx\r\n0\r\n\r"), PART, "x", 0 },
	{ "huge chunk announced", CHUNKED, STR("ffffffffffffffff\r\nx"), PART, "x", 0 },
	{ "seventeen digits", CHUNKED, STR("00000000000000001\r\nx"), REFUSED, NULL, 0 },
	{ "0x", CHUNKED, STR("0x1\r\nx"), REFUSED, NULL, 0 },
	{ "plus", CHUNKED, STR("+1\r\nx"), REFUSED, NULL, 0 },
	{ "minus", CHUNKED, STR("-1\r\nx"), REFUSED, NULL, 0 },
	{ "blank in front", CHUNKED, STR(" 1\r\nx"), REFUSED, NULL, 0 },
	{ "blank behind", CHUNKED, STR("1 \r\nx"), REFUSED, NULL, 0 },
	{ "blank before extension", CHUNKED, STR("1 ;a\r\nx"), REFUSED, NULL, 0 },
	{ "no size", CHUNKED, STR("\r\nx"), REFUSED, NULL, 0 },
	{ "only an extension", CHUNKED, STR(";a\r\nx"), REFUSED, NULL, 0 },
	{ "not hex", CHUNKED, STR("g\r\nx"), REFUSED, NULL, 0 },
	{ "bare LF behind size", CHUNKED, STR("1\nx"), REFUSED, NULL, 0 },
	{ "bare CR behind size", CHUNKED, STR("1\rx"), REFUSED, NULL, 0 },
	{ "LF in extension", CHUNKED, STR("1;a\nx"), REFUSED, NULL, 0 },
	{ "NUL in extension", CHUNKED, STR("1;a\0"), REFUSED, NULL, 0 },
	{ "extension too long", CHUNKED, STR("1;" EXT_256 "f\r\nx"), REFUSED, NULL, 0 },
	{ "chunk longer than said", CHUNKED, STR("1\r\nxy\r\n0\r\n\r\n"), REFUSED, NULL, 0 },
	{ "chunk shorter than said", CHUNKED, STR("3\r\nx\r\n0\r\n\r\n"), REFUSED, NULL, 0 },
	{ "chunk ended with LF", CHUNKED, STR("1\r\nx\n0\r\n\r\n"), REFUSED, NULL, 0 },
	{ "trailer folded", CHUNKED, STR("0\r\nA: b\r\n c\r\n\r\n"), REFUSED, NULL, 0 },
	{ "trailer without name", CHUNKED, STR("0\r\n: b\r\n\r\n"), REFUSED, NULL, 0 },
	{ "trailer without colon", CHUNKED, STR("0\r\nAb\r\n\r\n"), REFUSED, NULL, 0 },
	{ "trailer with NUL", CHUNKED, STR("0\r\nA: \0\r\n\r\n"), REFUSED, NULL, 0 },
	{ "trailer with LF", CHUNKED, STR("0\r\nA: b\n\r\n"), REFUSED, NULL, 0 },
	{ "end not ended", CHUNKED, STR("0\r\n\rx"), REFUSED, NULL, 0 },
	{ "chunks too large", CHUNKED, STR("40\r\n" SIXTY_FOUR "\r\n1\r\nx\r\n0\r\n\r\n"),
	  TOO_LARGE, NULL, 0 },
};

static void run_case(const struct body_case *c, size_t piece)
{
	struct buf content = BUF_INIT(CONTENT_MAX);
	struct h1_body body = c->body;
	struct err e = { 0 };
	size_t at = 0;
	int result = 0;
	enum verdict verdict;

	while (result == 0 && at < c->data.len && !body.is_complete) {
		size_t consumed = 0;

		result = h1_body_decode(&body, str_first(str_from_pos(c->data, at), piece),
					&consumed, &content, &e);
		at += consumed;
	}
	verdict = body.is_complete ? WHOLE : PART;
	if (result)
		verdict = e.kind == ERR_LIMIT ? TOO_LARGE : REFUSED;
	if (verdict != c->verdict)
		fail_msg("%s in pieces of %zu: verdict %d", c->name, piece, verdict);
	if (result == 0)
		assert_int_equal(c->data.len - at, c->rest);
	if (c->content)
		assert_true(str_equal(buf_view(&content), str_from(c->content)));
	buf_done(&content);
}

static void test_decode(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_case(&cases[i], SIZE_MAX);
		run_case(&cases[i], 1);
		run_case(&cases[i], 3);
	}
}

static void test_until_end_takes_everything(void **state)
{
	struct h1_body body = { .kind = H1_BODY_UNTIL_END };
	struct buf content = BUF_INIT(CONTENT_MAX);
	size_t consumed = 0;
	struct err e;

	assert_int_equal(h1_body_decode(&body, STR("a\0b"), &consumed, &content, &e), 0);
	assert_int_equal(consumed, 3);
	assert_true(str_equal(buf_view(&content), STR("a\0b")));
	assert_false(body.is_complete);
	buf_done(&content);
}

static void test_trailers_are_bounded(void **state)
{
	struct h1_body body = CHUNKED;
	struct buf content = BUF_INIT(CONTENT_MAX);
	size_t total = 0;
	size_t consumed;
	struct err e = { 0 };

	assert_int_equal(h1_body_decode(&body, STR("0\r\n"), &consumed, &content, &e), 0);
	while (h1_body_decode(&body, STR("A: b\r\n"), &consumed, &content, &e) == 0) {
		total += consumed;
		assert_true(total <= 8192);
	}
	assert_int_equal(e.kind, ERR_PROTOCOL);
	assert_true(total > 8000);
	buf_done(&content);
}

struct framing_case {
	const char *head;
	enum h1_body_kind kind;
	uint64_t length;
};

static const struct framing_case requests[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", H1_BODY_NONE, 0 },
	{ "POST / HTTP/1.1\r\nHost: a\r\n\r\n", H1_BODY_NONE, 0 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n", H1_BODY_LENGTH, 7 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", H1_BODY_LENGTH, 0 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", H1_BODY_CHUNKED, 0 },
};

static void test_body_of_request(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct framing_case *c = &requests[i];
		struct arena arena = { 0 };
		struct http_request r;
		struct h1_body body;
		struct err e;

		assert_int_equal(h1_parse_request(str_from(c->head), &arena, &r, &e), 0);
		assert_int_equal(h1_body_of_request(&body, &r, &e), 0);
		assert_int_equal(body.kind, c->kind);
		assert_int_equal(body.left, c->length);
		assert_int_equal(body.is_complete, c->kind != H1_BODY_CHUNKED && c->length == 0);
		arena_done(&arena);
	}
}

struct response_case {
	const char *method;
	const char *head;
	int kind; /* -1: refused */
};

static const struct response_case responses[] = {
	{ "GET", "HTTP/1.1 200 OK\r\n\r\n", H1_BODY_UNTIL_END },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", H1_BODY_LENGTH },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", H1_BODY_CHUNKED },
	{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", H1_BODY_NONE },
	{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", H1_BODY_NONE },
	{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", H1_BODY_NONE },
	{ "GET", "HTTP/1.1 100 Continue\r\n\r\n", H1_BODY_NONE },
	{ "CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", H1_BODY_NONE },
	{ "CONNECT", "HTTP/1.1 302 Found\r\nContent-Length: 3\r\n\r\n", H1_BODY_LENGTH },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", -1 },
	{ "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -1 },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", -1 },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", -1 },
};

static void test_body_of_response(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
		const struct response_case *c = &responses[i];
		struct h1_response_head head;
		struct arena arena = { 0 };
		struct h1_body body;
		struct err e;
		int result;

		assert_int_equal(h1_parse_response(str_from(c->head), &arena, &head, &e), 0);
		result = h1_body_of_response(&body, str_from(c->method), &head, &e);
		assert_int_equal(result, c->kind < 0 ? -1 : 0);
		if (result == 0 && (int)body.kind != c->kind)
			fail_msg("%s %s: kind %d", c->method, c->head, body.kind);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_until_end_takes_everything),
		cmocka_unit_test(test_trailers_are_bounded),
		cmocka_unit_test(test_body_of_request),
		cmocka_unit_test(test_body_of_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
