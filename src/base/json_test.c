/*
 * json_test.c - every byte of the text
 */

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct json_writer writer_to(struct buf *out)
{
	*out = BUF_INIT(1000);
	return (struct json_writer){ .out = out };
}

static void assert_text(struct buf *out, const char *expected)
{
	assert_true(str_equal(buf_view(out), str_from(expected)));
	assert_false(out->is_overflown);
	buf_done(out);
}

static void test_structure(void **state)
{
	struct buf out;
	struct json_writer w = writer_to(&out);

	json_object_begin(&w);
	json_key(&w, STR("a"));
	json_int(&w, -1);
	json_key(&w, STR("b"));
	json_array_begin(&w);
	json_text(&w, STR("x"));
	json_bool(&w, true);
	json_array_begin(&w);
	json_array_end(&w);
	json_object_begin(&w);
	json_object_end(&w);
	json_object_begin(&w);
	json_key(&w, STR("k"));
	json_bool(&w, false);
	json_object_end(&w);
	json_array_end(&w);
	json_key(&w, STR("c"));
	json_object_begin(&w);
	json_object_end(&w);
	json_object_end(&w);
	assert_text(&out, "{\"a\":-1,\"b\":[\"x\",true,[],{},{\"k\":false}],\"c\":{}}");
}

static void test_numbers(void **state)
{
	struct buf out;
	struct json_writer w = writer_to(&out);

	json_array_begin(&w);
	json_int(&w, INT64_MIN);
	json_int(&w, INT64_MAX);
	json_uint(&w, UINT64_MAX);
	json_thousandths(&w, 0);
	json_thousandths(&w, 7);
	json_thousandths(&w, 15230418);
	json_thousandths(&w, UINT64_MAX);
	json_array_end(&w);
	assert_text(&out, "[-9223372036854775808,9223372036854775807,18446744073709551615,"
			  "0.000,0.007,15230.418,18446744073709551.615]");
}

static void test_strings(void **state)
{
	static const struct {
		struct str value;
		const char *text;
	} cases[] = {
		{ { NULL, 0 }, "\"\"" },
		{ { "plain ~", 7 }, "\"plain ~\"" },
		{ { "q\"b\\s/", 6 }, "\"q\\\"b\\\\s/\"" },
		{ { "\n\r\t\b\f", 5 }, "\"\\n\\r\\t\\b\\f\"" },
		{ { "\0\x01\x1f\x7f", 4 }, "\"\\u0000\\u0001\\u001f\x7f\"" },
		{ { "<&>'", 4 }, "\"<&>'\"" },
		{ { "\xc3\xa9\xf0\x9f\x92\xa9", 6 }, "\"\xc3\xa9\xf0\x9f\x92\xa9\"" },
		{ { "\xe2\x80\xa8\xe2\x80\xa9", 6 }, "\"\xe2\x80\xa8\xe2\x80\xa9\"" },
		{ { "a\xff"
		    "b",
		    3 },
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ { "\xc3", 1 }, "\"\xef\xbf\xbd\"" },
		{ { "\xc3\"", 2 }, "\"\xef\xbf\xbd\\\"\"" },
		{ { "\xed\xa0\x80", 3 }, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ { "\xc0\xaf", 2 }, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		struct json_writer w = writer_to(&out);
		json_text(&w, cases[i].value);
		assert_text(&out, cases[i].text);
	}
}

static void test_escape_html(void **state)
{
	struct buf out;
	struct json_writer w = writer_to(&out);

	w.escape_html = true;
	json_object_begin(&w);
	json_key(&w, STR("<"));
	json_text(&w, STR("a<b>c&d"));
	json_object_end(&w);
	assert_text(&out, "{\"\\u003c\":\"a\\u003cb\\u003ec\\u0026d\"}");
}

static void test_overflow_is_remembered(void **state)
{
	struct buf out = BUF_INIT(5);
	struct json_writer w = { .out = &out };

	json_text(&w, STR("too long"));
	json_int(&w, 1);
	assert_true(out.is_overflown);
	assert_true(out.len <= 5);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_escape_html),
		cmocka_unit_test(test_overflow_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
