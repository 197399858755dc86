/*
 * buf_test.c - growth, maximum and overflow
 */

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static void test_append_and_view(void **state)
{
	struct buf b = BUF_INIT(100);

	assert_int_equal(buf_append_str(&b, STR("abc")), 0);
	assert_int_equal(buf_append_char(&b, 'd'), 0);
	assert_int_equal(buf_printf(&b, "-%d", 42), 0);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_true(str_equal(buf_view(&b), STR("abcd-42")));
	assert_false(b.is_overflown);
	buf_done(&b);
	assert_int_equal(b.len, 0);
	assert_null(b.data);
	assert_int_equal(buf_append_str(&b, STR("again")), 0);
	buf_done_secret(&b);
	buf_done_secret(&b);
}

static void test_maximum_is_exact(void **state)
{
	struct buf b = BUF_INIT(4);

	assert_int_equal(buf_append_str(&b, STR("abc")), 0);
	assert_int_equal(buf_append_str(&b, STR("de")), -1);
	assert_true(b.is_overflown);
	assert_true(str_equal(buf_view(&b), STR("abc")));
	assert_int_equal(buf_append_str(&b, STR("d")), 0);
	assert_true(b.is_overflown);
	assert_int_equal(buf_append_char(&b, 'e'), -1);
	assert_true(str_equal(buf_view(&b), STR("abcd")));
	buf_done(&b);
	assert_false(b.is_overflown);
}

static void test_printf_may_fill_the_maximum(void **state)
{
	struct buf b = BUF_INIT(4);

	assert_int_equal(buf_printf(&b, "%s", "abcde"), -1);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_printf(&b, "%s", "abcd"), 0);
	assert_true(str_equal(buf_view(&b), STR("abcd")));
	assert_int_equal(buf_printf(&b, "%s", "e"), -1);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(b.len, 4);
	buf_done(&b);
}

static void test_zeroed_holds_nothing(void **state)
{
	struct buf b = { 0 };

	assert_int_equal(buf_append_char(&b, 'a'), -1);
	assert_int_equal(buf_append_str(&b, STR("")), 0);
	assert_int_equal(buf_view(&b).len, 0);
	buf_done(&b);
}

static void test_growth_keeps_the_contents(void **state)
{
	struct buf b = BUF_INIT(100000);

	for (unsigned int i = 0; i < 100000; i++)
		assert_int_equal(buf_append_char(&b, (char)('a' + i % 26)), 0);
	for (unsigned int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_true(b.cap <= 100000);
	buf_done(&b);
}

static void test_reserve_and_commit(void **state)
{
	struct buf b = BUF_INIT(10);
	uint8_t *room = buf_reserve(&b, 10);

	assert_non_null(room);
	room[0] = 'x';
	buf_commit(&b, 1);
	assert_true(str_equal(buf_view(&b), STR("x")));
	assert_null(buf_reserve(&b, 10));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.is_overflown);
	buf_done(&b);
}

static void test_consume_and_truncate(void **state)
{
	struct buf b = BUF_INIT(10);

	buf_append_str(&b, STR("abcdef"));
	buf_consume(&b, 0);
	buf_consume(&b, 2);
	assert_true(str_equal(buf_view(&b), STR("cdef")));
	buf_truncate(&b, 3);
	assert_true(str_equal(buf_view(&b), STR("cde")));
	buf_consume(&b, 3);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

static void test_take_string(void **state)
{
	struct buf b = BUF_INIT(3);

	char *empty = buf_take_string(&b);
	assert_string_equal(empty, "");
	buf_append_str(&b, STR("abc"));
	char *full = buf_take_string(&b);
	assert_string_equal(full, "abc");
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_append_str(&b, STR("xyz")), 0);
	buf_done(&b);
	mem_free(full);
	mem_free(empty);
}

static void test_move(void **state)
{
	struct buf from = BUF_INIT(7);
	struct buf to = BUF_INIT(3);

	buf_append_str(&from, STR("abcdefg"));
	buf_append_str(&to, STR("old"));
	buf_move(&to, &from);
	assert_true(str_equal(buf_view(&to), STR("abcdefg")));
	assert_int_equal(to.max, 7);
	assert_int_equal(from.len, 0);
	assert_null(from.data);
	buf_done(&to);
	buf_done(&from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_view),
		cmocka_unit_test(test_maximum_is_exact),
		cmocka_unit_test(test_printf_may_fill_the_maximum),
		cmocka_unit_test(test_zeroed_holds_nothing),
		cmocka_unit_test(test_growth_keeps_the_contents),
		cmocka_unit_test(test_reserve_and_commit),
		cmocka_unit_test(test_consume_and_truncate),
		cmocka_unit_test(test_take_string),
		cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
