/*
 * str_test.c - views
 */

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static const struct str none = { 0 };

static void test_equality(void **state)
{
	assert_true(str_equal(none, STR("")));
	assert_true(str_equal(STR("a\0b"), STR("a\0b")));
	assert_false(str_equal(STR("a\0b"), STR("a\0c")));
	assert_false(str_equal(STR("a"), STR("ab")));
	assert_true(str_equal_nocase(STR("Content-LENGTH"), STR("content-length")));
	/* '@' and '`', '[' and '{' differ by the case bit as well, but are no letters */
	assert_false(str_equal_nocase(STR("@"), STR("`")));
	assert_false(str_equal_nocase(STR("["), STR("{")));
	assert_false(str_equal_nocase(STR("\xc4"), STR("\xe4")));
	assert_true(str_equal_nocase(none, none));
}

static void test_parts(void **state)
{
	assert_true(str_starts_with(STR("abc"), STR("ab")));
	assert_true(str_starts_with(none, none));
	assert_false(str_starts_with(STR("a"), STR("ab")));
	assert_true(str_starts_with_nocase(STR("Bearer x"), STR("bearer ")));
	assert_false(str_starts_with_nocase(STR("Bear"), STR("bearer ")));
	assert_true(str_ends_with(STR("abc"), STR("bc")));
	assert_false(str_ends_with(STR("bc"), STR("abc")));
	assert_true(str_ends_with(STR("abc"), none));
	assert_true(str_contains(STR("abcd"), STR("bc")));
	assert_true(str_contains(none, none));
	assert_false(str_contains(STR("abcd"), STR("cb")));
	assert_false(str_contains(none, STR("a")));
}

static void test_compare(void **state)
{
	assert_int_equal(str_compare(STR("abc"), STR("abc")), 0);
	assert_int_equal(str_compare(none, STR("")), 0);
	assert_true(str_compare(STR("ab"), STR("abc")) < 0);
	assert_true(str_compare(STR("abc"), STR("ab")) > 0);
	assert_true(str_compare(STR("\xff"), STR("a")) > 0);
	assert_true(str_compare(none, STR("a")) < 0);
}

static void test_find_and_slice(void **state)
{
	struct str s = STR("a:b:c");

	assert_int_equal(str_find(s, ':'), 1);
	assert_int_equal(str_find_last(s, ':'), 3);
	assert_int_equal(str_find(s, 'x'), 5);
	assert_int_equal(str_find_last(s, 'x'), 5);
	assert_int_equal(str_find(none, 'x'), 0);
	assert_true(str_equal(str_from_pos(s, 2), STR("b:c")));
	assert_true(str_equal(str_from_pos(s, 9), none));
	assert_null(str_from_pos(none, 9).at);
	assert_true(str_equal(str_first(s, 1), STR("a")));
	assert_true(str_equal(str_first(s, 9), s));
}

static void assert_pieces(struct str text, const char *const *pieces, size_t count)
{
	struct str rest = text;
	struct str piece;
	size_t seen = 0;

	while (str_cut(&rest, ',', &piece)) {
		assert_true(seen < count);
		assert_true(str_equal(piece, str_from(pieces[seen])));
		seen++;
	}
	assert_int_equal(seen, count);
}

static void test_cut_visits_every_item_once(void **state)
{
	assert_pieces(STR("a,b"), (const char *[]){ "a", "b" }, 2);
	assert_pieces(STR("a"), (const char *[]){ "a" }, 1);
	assert_pieces(STR(""), (const char *[]){ "" }, 1);
	assert_pieces(STR(",a,,"), (const char *[]){ "", "a", "", "" }, 4);
	assert_pieces(none, NULL, 0);
}

static void test_trim(void **state)
{
	assert_true(str_equal(str_trim(STR(" \t\r\na b\n ")), STR("a b")));
	assert_true(str_equal(str_trim(STR(" \t ")), none));
	assert_true(str_equal(str_trim(none), none));
	assert_true(str_equal(str_trim(STR("\va")), STR("\va")));
}

static void test_copies(void **state)
{
	char *copy = str_copy(str_first(STR("abcdef"), 3));
	char *lower = str_copy_lower(STR("AbC\xc4-Z"));
	char *empty = str_copy(none);
	char part[4] = "wxyz";

	str_lower(str_first(STR("ABCD"), 3), part);
	assert_memory_equal(part, "abcz", sizeof(part));
	assert_string_equal(copy, "abc");
	assert_string_equal(lower, "abc\xc4-z");
	assert_string_equal(empty, "");
	mem_free(copy);
	mem_free(lower);
	mem_free(empty);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool is_number;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "007", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "000018446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "18446744073709551620", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "+1", false, 0 },
		{ "-1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "0x1", false, 0 },
		{ "1.0", false, 0 },
		{ "1\xb2", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 42;
		bool is_number = str_to_uint64(str_from(cases[i].text), &value);
		assert_int_equal(is_number, cases[i].is_number);
		assert_int_equal(value, is_number ? cases[i].value : 42);
	}
	uint64_t value;
	assert_false(str_to_uint64(STR("1\0"), &value));
}

static void test_printable(void **state)
{
	assert_true(str_is_printable_ascii(STR(" ~")));
	assert_true(str_is_printable_ascii(none));
	assert_false(str_is_printable_ascii(STR("a\0")));
	assert_false(str_is_printable_ascii(STR("a\x1f")));
	assert_false(str_is_printable_ascii(STR("a\x7f")));
	assert_false(str_is_printable_ascii(STR("\xc3\xa9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_find_and_slice),
		cmocka_unit_test(test_cut_visits_every_item_once),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
