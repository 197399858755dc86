/*
 * url_query_test.c - splitting, unescaping, the canonical form
 */

#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *pairs[6];
	} cases[] = {
		{ "", 0, { NULL } },
		{ "&&", 0, { NULL } },
		{ "a=1&b=2", 2, { "a", "1", "b", "2" } },
		{ "&a=1&&b=2&", 2, { "a", "1", "b", "2" } },
		{ "a", 1, { "a", "" } },
		{ "a=", 1, { "a", "" } },
		{ "=", 1, { "", "" } },
		{ "=v", 1, { "", "v" } },
		{ "a=b=c", 1, { "a", "b=c" } },
		{ "a=1&a=2", 2, { "a", "1", "a", "2" } },
		{ "x+y=%26%3d+%2B", 1, { "x y", "&= +" } },
		{ "%61%3D=%C3%A9", 1, { "a=", "\xc3\xa9" } },
		{ "a;b=c", 1, { "a;b", "c" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct query q;
		struct err e;
		assert_int_equal(query_parse(str_from(cases[i].text), &arena, &q, &e), 0);
		assert_int_equal(q.count, cases[i].count);
		for (size_t k = 0; k < q.count; k++) {
			assert_true(str_equal(q.items[k].name, str_from(cases[i].pairs[2 * k])));
			assert_true(
				str_equal(q.items[k].value, str_from(cases[i].pairs[2 * k + 1])));
		}
		arena_done(&arena);
	}
}

static void test_parse_refuses(void **state)
{
	static const struct str cases[] = {
		{ "a=%", 3 },     { "a=%4", 4 },  { "a=%zz", 5 }, { "%=1", 3 },
		{ "a=1&b=%", 7 }, { "a=%00", 5 }, { "a\0=1", 4 }, { "a=\0", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct query q = { .count = 3 };
		struct err e = { 0 };
		assert_int_equal(query_parse(cases[i], &arena, &q, &e), -1);
		assert_int_equal(q.count, 3);
		assert_int_equal(e.kind, ERR_PROTOCOL);
		arena_done(&arena);
	}
}

static void test_number_of_params_is_limited(void **state)
{
	struct buf text = BUF_INIT(1000);
	struct arena arena = { 0 };
	struct query q;
	struct err e;

	for (int i = 0; i < QUERY_PARAMS_MAX; i++)
		buf_append_str(&text, STR("&a=1"));
	assert_int_equal(query_parse(buf_view(&text), &arena, &q, &e), 0);
	assert_int_equal(q.count, QUERY_PARAMS_MAX);
	buf_append_str(&text, STR("&a"));
	assert_int_equal(query_parse(buf_view(&text), &arena, &q, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	arena_done(&arena);
	buf_done(&text);
}

static void test_get_add_remove(void **state)
{
	struct query q = { 0 };
	struct str value = STR("untouched");

	assert_false(query_get(&q, STR("a"), &value));
	assert_true(str_equal(value, STR("untouched")));
	query_add(&q, STR("a"), STR("1"));
	query_add(&q, STR("b"), STR("2"));
	query_add(&q, STR("a"), STR("3"));
	query_add(&q, STR("A"), STR("4"));
	assert_true(query_get(&q, STR("a"), &value));
	assert_true(str_equal(value, STR("1")));
	query_remove(&q, STR("a"));
	assert_int_equal(q.count, 2);
	assert_false(query_get(&q, STR("a"), &value));
	assert_true(query_get(&q, STR("A"), &value));
	assert_true(str_equal(value, STR("4")));
	query_remove(&q, STR("none"));
	assert_int_equal(q.count, 2);
}

static void assert_canonical(const struct query *q, struct str expected)
{
	struct buf out = BUF_INIT(1000);

	assert_int_equal(query_format_canonical(q, &out), 0);
	assert_true(str_equal(buf_view(&out), expected));
	buf_done(&out);
}

static void test_canonical(void **state)
{
	struct query q = { 0 };

	assert_canonical(&q, STR(""));
	query_add(&q, STR("empty"), STR(""));
	assert_canonical(&q, STR("empty="));
	query_add(&q, STR("b"), STR("x y+z"));
	query_add(&q, STR("a"), STR("2"));
	query_add(&q, STR("\xc3\xa9"), STR("\xc3\xa9~*/?&="));
	query_add(&q, STR("a"), STR("1"));
	query_add(&q, STR("B"), STR("upper first"));
	query_add(&q, STR("ab"), STR("after a"));
	assert_canonical(&q, STR("B=upper+first&a=2&a=1&ab=after+a&b=x+y%2Bz&empty=&"
				 "%C3%A9=%C3%A9~%2A%2F%3F%26%3D"));
}

static void test_canonical_overflow_changes_nothing(void **state)
{
	struct query q = { 0 };
	struct buf out = BUF_INIT(8);

	query_add(&q, STR("a"), STR("1"));
	query_add(&q, STR("b"), STR("+"));
	buf_append_str(&out, STR("?"));
	assert_int_equal(query_format_canonical(&q, &out), -1);
	assert_true(str_equal(buf_view(&out), STR("?")));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_number_of_params_is_limited),
		cmocka_unit_test(test_get_add_remove),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_canonical_overflow_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
