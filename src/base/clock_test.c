/*
 * clock_test.c - formats in several zones, and that time moves
 */

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/compiler.h"

#define NEW_YEAR_2026 1767225600

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static void test_rfc3339(void **state)
{
	static const struct {
		const char *zone;
		int64_t at;
		const char *text;
	} cases[] = {
		{ "UTC0", NEW_YEAR_2026, "2026-01-01T00:00:00Z" },
		{ "UTC0", 0, "1970-01-01T00:00:00Z" },
		{ "UTC0", -1, "1969-12-31T23:59:59Z" },
		{ "CET-1", NEW_YEAR_2026, "2026-01-01T01:00:00+01:00" },
		{ "EST5", NEW_YEAR_2026 + 1, "2025-12-31T19:00:01-05:00" },
		{ "IST-5:30", NEW_YEAR_2026, "2026-01-01T05:30:00+05:30" },
		{ "NST3:30", NEW_YEAR_2026, "2025-12-31T20:30:00-03:30" },
		{ "UTC0", 951782399, "2000-02-28T23:59:59Z" },
		{ "UTC0", 951782400, "2000-02-29T00:00:00Z" },
		/* behind what 32 bits can say */
		{ "UTC0", 4107542399, "2100-02-28T23:59:59Z" },
		{ "UTC0", 4107542400, "2100-03-01T00:00:00Z" },
		{ "CET-1", 253402210800, "9999-12-31T00:00:00+01:00" },
		{ "UTC0", -62135510400, "0001-01-02T00:00:00Z" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CLOCK_RFC3339_MAX];
		set_zone(cases[i].zone);
		clock_format_rfc3339(cases[i].at, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_kitchen(void **state)
{
	static const struct {
		int64_t second_of_day;
		const char *text;
	} cases[] = {
		{ 0, "12:00AM" },         { 59, "12:00AM" },
		{ 60, "12:01AM" },        { 3600, "1:00AM" },
		{ 12 * 3600, "12:00PM" }, { 17 * 3600 + 57 * 60, "5:57PM" },
		{ 23 * 3600, "11:00PM" },
	};

	set_zone("UTC0");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CLOCK_KITCHEN_MAX];
		clock_format_kitchen(NEW_YEAR_2026 + cases[i].second_of_day, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_http_date(void **state)
{
	char text[CLOCK_HTTP_DATE_MAX];

	set_zone("CET-1");
	clock_format_http_date(NEW_YEAR_2026, text);
	assert_string_equal(text, "Thu, 01 Jan 2026 00:00:00 GMT");
	clock_format_http_date(784111777, text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void test_each_day_is_what_the_library_says(void **state)
{
	for (int64_t at = INT32_MIN; at <= INT32_MAX; at += 86400) {
		time_t same = clock_time_t(at);
		struct tm parts;
		char expected[CLOCK_HTTP_DATE_MAX];
		char text[CLOCK_HTTP_DATE_MAX];

		assert_true(same == at);
		assert_non_null(gmtime_r(&same, &parts));
		assert_true(strftime(expected, sizeof(expected), "%a, %d %b %Y %T GMT", &parts) >
			    0);
		clock_format_http_date(at, text);
		assert_string_equal(text, expected);
	}
}

static void test_a_time_of_the_library_ends_where_it_must(void **state)
{
	assert_true(clock_time_t(INT64_MAX) > clock_time_t(INT32_MAX - 1));
	assert_true(clock_time_t(INT64_MIN) < clock_time_t(INT32_MIN + 1));
	assert_true(clock_time_t(NEW_YEAR_2026) == NEW_YEAR_2026);
}

static void test_absurd_dates_are_clamped(void **state)
{
	static const int64_t dates[] = { INT64_MIN, INT64_MAX, -62135596801, 253402300800 };

	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		char text[CLOCK_RFC3339_MAX];
		set_zone("CET-1");
		clock_format_rfc3339(dates[i], text);
		assert_int_equal(strlen(text), sizeof("2026-01-01T01:00:00+01:00") - 1);
		clock_format_http_date(dates[i], text);
		assert_int_equal(strlen(text), sizeof("Thu, 01 Jan 2026 00:00:00 GMT") - 1);
	}
}

static void test_the_clocks_agree(void **state)
{
	uint64_t before_us = clock_now_us();
	uint64_t now_ms = clock_now_ms();
	uint64_t after_us = clock_now_us();

	assert_true(before_us / 1000 <= now_ms);
	assert_true(now_ms <= after_us / 1000);
	assert_true(clock_now_unix() > NEW_YEAR_2026 - 5 * 365 * 86400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339),
		cmocka_unit_test(test_kitchen),
		cmocka_unit_test(test_http_date),
		cmocka_unit_test(test_each_day_is_what_the_library_says),
		cmocka_unit_test(test_a_time_of_the_library_ends_where_it_must),
		cmocka_unit_test(test_absurd_dates_are_clamped),
		cmocka_unit_test(test_the_clocks_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
