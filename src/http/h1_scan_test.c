#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/h1_parse.h"

struct scan_case {
	const char *name;
	struct str data;
	enum h1_scan verdict;
	size_t position; /* COMPLETE: length of the head; BAD: how many bytes were fine */
};

static const struct scan_case cases[] = {
	{ "nothing", STR(""), H1_SCAN_MORE, 0 },
	{ "part", STR("GET / HT"), H1_SCAN_MORE, 0 },
	{ "no blank line", STR("GET / HTTP/1.1\r\nHost: a\r\n"), H1_SCAN_MORE, 0 },
	{ "half a blank line", STR("GET / HTTP/1.1\r\nHost: a\r\n\r"), H1_SCAN_MORE, 0 },
	{ "no headers", STR("GET / HTTP/1.0\r\n\r\n"), H1_SCAN_COMPLETE, 18 },
	{ "headers", STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), H1_SCAN_COMPLETE, 27 },
	{ "bytes behind", STR("GET / HTTP/1.0\r\n\r\n\0\n"), H1_SCAN_COMPLETE, 18 },
	{ "tab and obs-text", STR("HTTP/1.1 200 \xc3\xa9\r\na:\t\xff\r\n\r\n"), H1_SCAN_COMPLETE,
	  25 },
	{ "empty value", STR("A B C\r\na:\r\n\r\n"), H1_SCAN_COMPLETE, 13 },
	{ "leading CRLF", STR("\r\nGET"), H1_SCAN_BAD, 0 },
	{ "leading blank", STR(" GET"), H1_SCAN_BAD, 0 },
	{ "TLS hello", STR("\x16\x03\x01"), H1_SCAN_BAD, 0 },
	{ "NUL first", STR("\0"), H1_SCAN_BAD, 0 },
	{ "NUL in the start line", STR("GET /\0"), H1_SCAN_BAD, 5 },
	{ "control in the start line", STR("GET /\x1f"), H1_SCAN_BAD, 5 },
	{ "DEL", STR("GET /\x7f"), H1_SCAN_BAD, 5 },
	{ "bare LF in the start line", STR("GET / HTTP/1.1\n"), H1_SCAN_BAD, 14 },
	{ "bare CR in the start line", STR("GET / HTTP/1.1\rX"), H1_SCAN_BAD, 15 },
	{ "CR CR", STR("GET / HTTP/1.1\r\r\n"), H1_SCAN_BAD, 15 },
	{ "folded first header", STR("A B C\r\n a: b"), H1_SCAN_BAD, 7 },
	{ "folded with tab", STR("A B C\r\na: b\r\n\tc"), H1_SCAN_BAD, 13 },
	{ "empty name", STR("A B C\r\n: b"), H1_SCAN_BAD, 7 },
	{ "blank before the colon", STR("A B C\r\na : b"), H1_SCAN_BAD, 8 },
	{ "no colon", STR("A B C\r\nabc\r\n"), H1_SCAN_BAD, 10 },
	{ "bare LF ends a header", STR("A B C\r\na: b\n"), H1_SCAN_BAD, 11 },
	{ "bare LF as blank line", STR("A B C\r\na: b\r\n\n"), H1_SCAN_BAD, 13 },
	{ "NUL in a value", STR("A B C\r\na: \0"), H1_SCAN_BAD, 10 },
	{ "bare CR in a value", STR("A B C\r\na: b\rc"), H1_SCAN_BAD, 12 },
	{ "blank line not ended", STR("A B C\r\n\rX"), H1_SCAN_BAD, 8 },
};

static void check(const struct scan_case *c, enum h1_scan verdict, size_t head_len,
		  const struct h1_scanner *scanner)
{
	if (verdict != c->verdict)
		fail_msg("%s: verdict %d", c->name, verdict);
	if (verdict == H1_SCAN_COMPLETE)
		assert_int_equal(head_len, c->position);
	if (verdict == H1_SCAN_BAD)
		assert_int_equal(scanner->scanned, c->position);
}

static void test_all_at_once(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct h1_scanner scanner = { 0 };
		size_t head_len = 0;
		struct err e = { 0 };
		enum h1_scan verdict = h1_scan(&scanner, cases[i].data, &head_len, &e);

		check(&cases[i], verdict, head_len, &scanner);
		assert_int_equal(e.kind, verdict == H1_SCAN_BAD ? ERR_PROTOCOL : ERR_NONE);
	}
}

static void test_byte_at_a_time(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct h1_scanner scanner = { 0 };
		enum h1_scan verdict = H1_SCAN_MORE;
		size_t head_len = 0;
		struct err e;

		for (size_t len = 1; len <= cases[i].data.len && verdict == H1_SCAN_MORE; len++)
			verdict = h1_scan(&scanner, str_first(cases[i].data, len), &head_len, &e);
		check(&cases[i], verdict, head_len, &scanner);
	}
}

/* A head of exactly size bytes, count of headers in front of a long one. */
static void build_head(struct buf *out, size_t size)
{
	assert_int_equal(buf_append_str(out, STR("A B C\r\na: ")), 0);
	while (out->len < size - 4)
		assert_int_equal(buf_append_char(out, 'x'), 0);
	assert_int_equal(buf_append_str(out, STR("\r\n\r\n")), 0);
	assert_int_equal(out->len, size);
}

static void check_sizes(size_t piece)
{
	for (size_t excess = 0; excess < 2; excess++) {
		struct buf head = BUF_INIT(HTTP_HEAD_MAX + 1);
		struct h1_scanner scanner = { 0 };
		enum h1_scan verdict = H1_SCAN_MORE;
		size_t head_len = 0;
		struct err e;

		build_head(&head, HTTP_HEAD_MAX + excess);
		for (size_t len = piece; verdict == H1_SCAN_MORE; len += piece)
			verdict = h1_scan(&scanner, str_first(buf_view(&head), len), &head_len, &e);
		assert_int_equal(verdict, excess ? H1_SCAN_TOO_LARGE : H1_SCAN_COMPLETE);
		buf_done(&head);
	}
}

static void test_largest_head(void **state)
{
	check_sizes(1);
	check_sizes(777);
	check_sizes(HTTP_HEAD_MAX + 1);
}

static void test_endless_head_is_refused_early(void **state)
{
	struct buf data = BUF_INIT(HTTP_HEAD_MAX + 1);
	struct h1_scanner scanner = { 0 };
	size_t head_len;
	struct err e = { 0 };

	while (data.len <= HTTP_HEAD_MAX)
		assert_int_equal(buf_append_char(&data, 'x'), 0);
	assert_int_equal(h1_scan(&scanner, buf_view(&data), &head_len, &e), H1_SCAN_TOO_LARGE);
	assert_int_equal(e.kind, ERR_LIMIT);
	/* final */
	assert_int_equal(h1_scan(&scanner, buf_view(&data), &head_len, &e), H1_SCAN_TOO_LARGE);
	buf_done(&data);
}

static void test_most_headers(void **state)
{
	for (size_t excess = 0; excess < 2; excess++) {
		struct buf head = BUF_INIT(HTTP_HEAD_MAX);
		struct h1_scanner scanner = { 0 };
		size_t head_len;
		struct err e;

		(void)buf_append_str(&head, STR("A B C\r\n"));
		for (size_t i = 0; i < HTTP_HEADERS_MAX + excess; i++)
			(void)buf_append_str(&head, STR("a:\r\n"));
		assert_int_equal(buf_append_str(&head, STR("\r\n")), 0);
		assert_int_equal(h1_scan(&scanner, buf_view(&head), &head_len, &e),
				 excess ? H1_SCAN_TOO_LARGE : H1_SCAN_COMPLETE);
		buf_done(&head);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_byte_at_a_time),
		cmocka_unit_test(test_largest_head),
		cmocka_unit_test(test_endless_head_is_refused_early),
		cmocka_unit_test(test_most_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
