/*
 * time_zone_test.c - names, offsets, and clocks that jump
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/time_zone.h"

#define JAN_15_2026 1768435200 /* 2026-01-15T00:00:00Z */
#define JUL_15_2026 1784073600
#define JUL_15_2050 2541456000 /* beyond the transitions that are listed in the file */

/* Vienna, 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z */
#define SPRING 1774746000
#define AUTUMN 1792890000

static void assert_offset(const char *name, int64_t at_unix, int32_t seconds)
{
	struct time_zone *zone = time_zone_open(str_from(name));

	if (!zone)
		fail_msg("%s is not known", name);
	if (time_zone_offset(zone, at_unix) != seconds)
		fail_msg("%s at %lld: %d instead of %d", name, (long long)at_unix,
			 (int)time_zone_offset(zone, at_unix), (int)seconds);
	time_zone_free(zone);
}

static void test_offsets(void **state)
{
	assert_offset("UTC", JAN_15_2026, 0);
	assert_offset("Z", JAN_15_2026, 0);
	assert_offset("Europe/Vienna", JAN_15_2026, 3600);
	assert_offset("Europe/Vienna", JUL_15_2026, 7200);
	assert_offset("Europe/Vienna", JUL_15_2050, 7200);
	assert_offset("America/New_York", JAN_15_2026, -5 * 3600);
	assert_offset("Asia/Kathmandu", JUL_15_2026, 20700);
	assert_offset("Etc/GMT+5", JUL_15_2026, -5 * 3600);
	assert_offset("+02:00", JAN_15_2026, 7200);
	assert_offset("-0330", JAN_15_2026, -12600);
	assert_offset("+9", JAN_15_2026, 9 * 3600);
	assert_offset("-11", JAN_15_2026, -11 * 3600);
	assert_offset("+14:00", JAN_15_2026, 14 * 3600);
}

static void test_refused(void **state)
{
	static const char *const names[] = {
		"",
		"Europe",
		"Europe/",
		"/Europe/Vienna",
		"../zoneinfo/UTC",
		"europe/vienna",
		"Europe/Vienna ",
		"+",
		"+2:0",
		"+02:60",
		"+15",
		"+02:00:00",
		"++2",
		"02:00",
		"/etc/localtime",
		"Mars/Base",
		"UTC\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (time_zone_open(str_from(names[i])))
			fail_msg("\"%s\" is a time zone", names[i]);
	assert_null(time_zone_open(STR("UTC\0x")));
	time_zone_free(NULL);
}

static void test_changes(void **state)
{
	struct time_zone *zone = time_zone_open(STR("Europe/Vienna"));

	assert_non_null(zone);
	assert_int_equal(time_zone_next_change(zone, SPRING - 86400, SPRING + 86400), SPRING);
	assert_int_equal(time_zone_next_change(zone, SPRING - 1, SPRING + 1), SPRING);
	assert_int_equal(time_zone_next_change(zone, SPRING, SPRING + 86400), SPRING + 86400);
	assert_int_equal(time_zone_next_change(zone, AUTUMN - 7, AUTUMN + 86400), AUTUMN);
	assert_int_equal(time_zone_next_change(zone, SPRING - 86400, SPRING - 1), SPRING - 1);
	assert_int_equal(time_zone_offset(zone, SPRING - 1), 3600);
	assert_int_equal(time_zone_offset(zone, SPRING), 7200);
	assert_int_equal(time_zone_offset(zone, AUTUMN - 1), 7200);
	assert_int_equal(time_zone_offset(zone, AUTUMN), 3600);
	time_zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
