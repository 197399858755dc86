/*
 * clock_format.c - times as text; apart from clock.c so that a test with a fake clock keeps them
 *
 * Dates outside the years 1 to 9999 are clamped: the formats have four digits for the year. The calendar is worked out here
 * and not by gmtime_r(), whose time_t has 32 bits on some machines and ends in 2038; only the shift of the time zone is
 * asked for, of the nearest moment it knows.
 */

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define YEAR_1_START  (-62135596800)
#define YEAR_9999_END 253402300799
#define DAY           86400
#define CYCLE_YEARS   400 /* of the Gregorian calendar */
#define CYCLE_DAYS    146097
#define CYCLE_START                                                                                \
	(-719468) /* 0000-03-01, in days since 1970: years from March on end with the leap day */
#define TIME_T_MAX ((time_t)(sizeof(time_t) == sizeof(int32_t) ? INT32_MAX : INT64_MAX))
#define TIME_T_MIN (-TIME_T_MAX - 1)

static const char *const day_names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const month_names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* margin: seconds to stay away from the ends, for the shift of a time zone */
static int64_t clamp(int64_t at_unix, int64_t margin)
{
	if (at_unix < YEAR_1_START + margin)
		return YEAR_1_START + margin;
	if (at_unix > YEAR_9999_END - margin)
		return YEAR_9999_END - margin;
	return at_unix;
}

time_t clock_time_t(int64_t at_unix)
{
	if (at_unix < TIME_T_MIN)
		return TIME_T_MIN;
	return at_unix > TIME_T_MAX ? TIME_T_MAX : (time_t)at_unix;
}

/* The rest of a division that rounds downwards. */
static int64_t rest_of(int64_t value, int64_t by)
{
	return (value % by + by) % by;
}

/* at_unix: in the years 1 to 9999 */
static struct tm calendar(int64_t at_unix)
{
	int64_t second = rest_of(at_unix, DAY);
	int64_t day = (at_unix - second) / DAY;
	int64_t in_cycle = rest_of(day - CYCLE_START, CYCLE_DAYS);
	int64_t cycle = (day - CYCLE_START - in_cycle) / CYCLE_DAYS;
	int64_t year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
	int64_t in_year = in_cycle - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153; /* from March */
	bool is_next_year = month >= 10;

	return (struct tm){
		.tm_year = (int)(cycle * CYCLE_YEARS + year + is_next_year - 1900),
		.tm_mon = (int)(is_next_year ? month - 10 : month + 2),
		.tm_mday = (int)(in_year - (153 * month + 2) / 5 + 1),
		.tm_wday = (int)rest_of(day + 4, 7),
		.tm_hour = (int)(second / 3600),
		.tm_min = (int)(second / 60 % 60),
		.tm_sec = (int)(second % 60),
	};
}

static struct tm local_time(int64_t at_unix)
{
	int64_t clamped = clamp(at_unix, DAY);
	time_t nearest = clock_time_t(clamped);
	struct tm zone;
	struct tm parts;

	if (!localtime_r(&nearest, &zone))
		abort();
	parts = calendar(clamped + zone.tm_gmtoff);
	parts.tm_gmtoff = zone.tm_gmtoff;
	return parts;
}

void clock_format_rfc3339(int64_t at_unix, char out[CLOCK_RFC3339_MAX])
{
	struct tm t = local_time(at_unix);
	long minutes = t.tm_gmtoff / 60;

	/* %Y does not pad the year to four digits; the rest always has the same length */
	(void)snprintf(out, CLOCK_RFC3339_MAX, "%04d", t.tm_year + 1900); /* fits */
	size_t len = 4 + strftime(out + 4, CLOCK_RFC3339_MAX - 4, "-%m-%dT%H:%M:%S", &t);
	if (minutes == 0) {
		(void)snprintf(out + len, CLOCK_RFC3339_MAX - len, "Z"); /* fits */
		return;
	}
	(void)snprintf(out + len, CLOCK_RFC3339_MAX - len, "%c%02ld:%02ld", minutes < 0 ? '-' : '+',
		       labs(minutes) / 60, labs(minutes) % 60); /* fits */
}

void clock_format_kitchen(int64_t at_unix, char out[CLOCK_KITCHEN_MAX])
{
	struct tm t = local_time(at_unix);
	int hour = t.tm_hour % 12;

	(void)snprintf(out, CLOCK_KITCHEN_MAX, "%d:%02d%s", hour ? hour : 12, t.tm_min,
		       t.tm_hour < 12 ? "AM" : "PM"); /* fits */
}

void clock_format_http_date(int64_t at_unix, char out[CLOCK_HTTP_DATE_MAX])
{
	struct tm t = calendar(clamp(at_unix, 0));

	/* not strftime() alone: its names follow the locale */
	(void)snprintf(out, CLOCK_HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT",
		       day_names[t.tm_wday], t.tm_mday, month_names[t.tm_mon], t.tm_year + 1900,
		       t.tm_hour, t.tm_min, t.tm_sec); /* fits */
}
