/*
 * clock_format.c - times as text; apart from clock.c so that a test with a fake clock keeps them
 *
 * Dates outside the years 1 to 9999 are clamped: the formats have four digits for the year.
 */

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define YEAR_1_START  (-62135596800)
#define YEAR_9999_END 253402300799
#define DAY           86400

static const char *const day_names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const month_names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* margin: seconds to stay away from the ends, for the shift of a time zone */
static time_t clamp(int64_t at_unix, int64_t margin)
{
	if (at_unix < YEAR_1_START + margin)
		return YEAR_1_START + margin;
	if (at_unix > YEAR_9999_END - margin)
		return YEAR_9999_END - margin;
	return at_unix;
}

static struct tm local_time(int64_t at_unix)
{
	time_t at = clamp(at_unix, DAY);
	struct tm parts;

	if (!localtime_r(&at, &parts))
		abort();
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
	time_t at = clamp(at_unix, 0);
	struct tm t;

	if (!gmtime_r(&at, &t))
		abort();
	/* not strftime() alone: its names follow the locale */
	(void)snprintf(out, CLOCK_HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT",
		       day_names[t.tm_wday], t.tm_mday, month_names[t.tm_mon], t.tm_year + 1900,
		       t.tm_hour, t.tm_min, t.tm_sec); /* fits */
}
