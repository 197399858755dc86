/*
 * duration_test.c
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/value.h"

#define SECOND INT64_C(1000000000)

static void test_good(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "0", 0 },
		{ "14h", 14 * 3600 * SECOND },
		{ "1h30m", 5400 * SECOND },
		{ "1.5s", 3 * SECOND / 2 },
		{ ".5s", SECOND / 2 },
		{ "1.s", SECOND },
		{ "-5ms", -5000000 },
		{ "+1m", 60 * SECOND },
		{ "3us", 3000 },
		{ "3\xc2\xb5s", 3000 },
		{ "3\xce\xbcs", 3000 },
		{ "7ns", 7 },
		{ "1.9ns", 1 },
		{ "0.000000001s", 1 },
		{ "0.5h", 1800 * SECOND },
		{ "9223372036854775807ns", INT64_MAX },
		{ "1m1m", 120 * SECOND },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ns = -1;

		print_message("%s\n", cases[i].text);
		assert_true(duration_parse(str_from(cases[i].text), &ns));
		assert_int_equal(ns, cases[i].ns);
	}
}

static void test_bad(void **state)
{
	static const char *const cases[] = {
		"",         "-",    "+",     "5",
		"1",        "s",    ".",     ".s",
		"30x",      "1 s",  " 1s",   "1s ",
		"1d",       "1H",   "--1s",  "1s-1s",
		"1e3s",     "1,5s", "1..5s", "9223372036854775808ns",
		"2562048h", "00",   "1h30",  "9223372036854775807ns1ns",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ns;

		print_message("%s\n", cases[i]);
		assert_false(duration_parse(str_from(cases[i]), &ns));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
