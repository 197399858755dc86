/*
 * time_parse_test.c - what is a date, a time, a day; and what is not
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "policy/time_parse.h"

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t at_unix;
	} cases[] = {
		{ "1970-01-01", 0 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2000-02-29", 951782400 },
		{ "2026-03-04T12:00:00Z", 1772625600 },
		{ "2026-03-04T12:00:00", 1772625600 },
		{ "2026-03-04 12:00", 1772625600 },
		{ "2026-03-04T13:00:00+01:00", 1772625600 },
		{ "2026-03-04T08:30:00-03:30", 1772625600 },
		{ "2026-03-04T11:59:59.001Z", 1772625600 },
		{ "2026-03-04T12:00:00.000Z", 1772625600 },
		{ "2100-03-01", 4107542400 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
		{ "0001-01-01", -62135596800 },
	};
	int64_t at_unix;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (!time_parse_date(str_from(cases[i].text), &at_unix))
			fail_msg("%s is not a date", cases[i].text);
		assert_int_equal(at_unix, cases[i].at_unix);
	}
}

static void test_no_dates(void **state)
{
	static const char *const texts[] = {
		"",
		"2026",
		"2026-1-1",
		"2026-13-01",
		"2026-00-01",
		"2026-01-00",
		"2026-01-32",
		"2025-02-29",
		"2100-02-29",
		"0000-01-01",
		"2026-01-01T",
		"2026-01-01T1:00",
		"2026-01-01T24:00",
		"2026-01-01T12:60",
		"2026-01-01T12:00:60",
		"2026-01-01T12:00:00.",
		"2026-01-01T12:00:00+1",
		"2026-01-01T12:00:00+01",
		"2026-01-01T12:00:00Zulu",
		"2026-01-01T12",
		"2026-01-01Z",
		" 2026-01-01",
		"2026-01-01 ",
		"02026-01-01",
		"-2026-01-01",
		"tomorrow",
	};
	int64_t at_unix = 7;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (time_parse_date(str_from(texts[i]), &at_unix))
			fail_msg("\"%s\" is a date", texts[i]);
	assert_int_equal(at_unix, 7);
}

static void test_clocks(void **state)
{
	static const struct {
		const char *text;
		int32_t s; /* -1: refused */
	} cases[] = {
		{ "3:04 PM", 15 * 3600 + 240 },
		{ "3:04PM", 15 * 3600 + 240 },
		{ "3:04pm", 15 * 3600 + 240 },
		{ "3 PM", 15 * 3600 },
		{ "3PM", 15 * 3600 },
		{ "12 AM", 0 },
		{ "12:30 AM", 1800 },
		{ "12PM", 12 * 3600 },
		{ "15:04:05.999", 15 * 3600 + 246 },
		{ "15:04:05.000", 15 * 3600 + 245 },
		{ "15:04:05", 15 * 3600 + 245 },
		{ "15:04", 15 * 3600 + 240 },
		{ "2:20:00", 2 * 3600 + 1200 },
		{ "00:00", 0 },
		{ "23:59:59.5", DAY_S },
		{ "", -1 },
		{ "3", -1 },
		{ "15", -1 },
		{ "24:00", -1 },
		{ "15:60", -1 },
		{ "15:04:60", -1 },
		{ "15:4", -1 },
		{ "15:04 PM", -1 },
		{ "0 AM", -1 },
		{ "13 AM", -1 },
		{ "3:04:05 PM", -1 },
		{ "3  PM", -1 },
		{ "3 PM ", -1 },
		{ "3 XM", -1 },
		{ "15:04:05.", -1 },
		{ "15:04Z", -1 },
		{ "015:04", -1 },
		{ "-1:00", -1 },
		{ "noon", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int32_t s = -1;

		(void)time_parse_clock(str_from(cases[i].text), &s);
		if (s != cases[i].s)
			fail_msg("\"%s\" is %d, not %d", cases[i].text, (int)s, (int)cases[i].s);
	}
}

static void test_days(void **state)
{
	static const struct {
		const char *text;
		unsigned mask; /* 0: refused */
	} cases[] = {
		{ "*", 0x7f },
		{ "sun", 1 },
		{ "Saturday", 0x40 },
		{ "mon-fri", 0x3e },
		{ "mon-fri,sun", 0x3f },
		{ "mon - wed , sat", 0x4e },
		{ "fri-mon", 0x63 },
		{ "tue-tue", 4 },
		{ "wednesday-THU", 0x18 },
		{ "sun-sat", 0x7f },
		{ "", 0 },
		{ "mo", 0 },
		{ "mond", 0 },
		{ "mon-", 0 },
		{ "-fri", 0 },
		{ "mon,,tue", 0 },
		{ "mon,", 0 },
		{ "*,mon", 0 },
		{ "mon-wed-fri", 0 },
		{ "1-5", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned mask = 0;

		(void)time_parse_days(str_from(cases[i].text), &mask);
		if (mask != cases[i].mask)
			fail_msg("\"%s\" is 0x%x, not 0x%x", cases[i].text, mask, cases[i].mask);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_no_dates),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
