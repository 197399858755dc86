/*
 * time_parse.c - each function takes what it knows from the front of the text; nothing may be left at the end
 */

#include "policy/time_parse.h"

#include "base/compiler.h"

#define DAYS_TO_1970 719468 /* from 0000-03-01, where the leap day is the last of its year */

static bool take_char(struct str *text, char c)
{
	if (!text->len || text->at[0] != c)
		return false;
	*text = str_from_pos(*text, 1);
	return true;
}

static bool take_digits(struct str *text, size_t min, size_t max, unsigned *ret)
{
	uint64_t number;
	size_t len = 0;

	while (len < text->len && len < max && text->at[len] >= '0' && text->at[len] <= '9')
		len++;
	if (len < min || !str_to_uint64(str_first(*text, len), &number))
		return false;
	*text = str_from_pos(*text, len);
	*ret = (unsigned)number;
	return true;
}

/* What is behind the '.' of seconds. */
static bool take_fraction(struct str *text, bool *ret_is_zero)
{
	size_t len = 0;

	*ret_is_zero = true;
	for (; len < text->len && text->at[len] >= '0' && text->at[len] <= '9'; len++)
		*ret_is_zero = *ret_is_zero && text->at[len] == '0';
	*text = str_from_pos(*text, len);
	return len > 0;
}

/* ":04", ":04:05", ":04:05.9" behind the hours. */
static bool take_minutes(struct str *text, int32_t *s, bool *ret_has_seconds)
{
	unsigned minutes;
	unsigned seconds = 0;
	bool is_zero = true;

	if (!take_char(text, ':') || !take_digits(text, 2, 2, &minutes) || minutes > 59)
		return false;
	*ret_has_seconds = take_char(text, ':');
	if (*ret_has_seconds && (!take_digits(text, 2, 2, &seconds) || seconds > 59))
		return false;
	if (*ret_has_seconds && take_char(text, '.') && !take_fraction(text, &is_zero))
		return false;
	*s += (int32_t)(minutes * 60 + seconds + !is_zero);
	return true;
}

/* ---- dates ---- */

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01. Years begin in March here. */
static int64_t days_of_date(unsigned year, unsigned month, unsigned day)
{
	int64_t years = (int64_t)year - (month <= 2);
	int64_t months = month <= 2 ? month + 9 : month - 3;

	return years * 365 + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day -
	       1 - DAYS_TO_1970;
}

static bool take_day(struct str *text, int64_t *ret_unix)
{
	unsigned year;
	unsigned month;
	unsigned day;

	if (!take_digits(text, 4, 4, &year) || !take_char(text, '-') ||
	    !take_digits(text, 2, 2, &month) || !take_char(text, '-') ||
	    !take_digits(text, 2, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
		return false;
	*ret_unix = days_of_date(year, month, day) * DAY_S;
	return true;
}

/* "Z", "+02:00", or nothing. */
static bool take_offset(struct str *text, int64_t *ret_s)
{
	unsigned hours;
	unsigned minutes;

	*ret_s = 0;
	if (!text->len || take_char(text, 'Z'))
		return true;
	int64_t sign = take_char(text, '-') ? -1 : 1;
	if (sign > 0 && !take_char(text, '+'))
		return false;
	if (!take_digits(text, 2, 2, &hours) || !take_char(text, ':') ||
	    !take_digits(text, 2, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_s = sign * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool time_parse_date(struct str text, int64_t *ret_unix)
{
	int64_t day;
	int64_t offset_s = 0;
	int32_t clock_s = 0;
	unsigned hours;
	bool has_seconds;

	if (!take_day(&text, &day))
		return false;
	if (text.len) {
		if (!take_char(&text, 'T') && !take_char(&text, ' '))
			return false;
		if (!take_digits(&text, 2, 2, &hours) || hours > 23 ||
		    !take_minutes(&text, &clock_s, &has_seconds) || !take_offset(&text, &offset_s))
			return false;
		clock_s += (int32_t)hours * 3600;
	}
	if (text.len)
		return false;
	*ret_unix = day + clock_s - offset_s;
	return true;
}

/* ---- times of day ---- */

/* " PM" and "PM": hours of twelve become those of twenty-four. */
static bool take_half(struct str *text, unsigned *hours)
{
	(void)take_char(text, ' '); /* may be there */
	bool is_pm = str_equal_nocase(*text, STR("PM"));

	if (!is_pm && !str_equal_nocase(*text, STR("AM")))
		return false;
	*text = str_from_pos(*text, 2);
	if (*hours < 1 || *hours > 12)
		return false;
	*hours = *hours % 12 + (is_pm ? 12 : 0);
	return true;
}

bool time_parse_clock(struct str text, int32_t *ret_s)
{
	unsigned hours;
	int32_t s = 0;
	bool has_seconds = false;
	bool has_minutes;

	if (!take_digits(&text, 1, 2, &hours))
		return false;
	has_minutes = text.len && text.at[0] == ':';
	if (has_minutes && !take_minutes(&text, &s, &has_seconds))
		return false;
	if ((text.len || !has_minutes) && (has_seconds || !take_half(&text, &hours)))
		return false;
	if (text.len || hours > 23)
		return false;
	*ret_s = s + (int32_t)hours * 3600;
	return true;
}

/* ---- days of the week ---- */

static bool parse_day(struct str text, unsigned *ret)
{
	static const char *const names[] = { "sunday",   "monday", "tuesday", "wednesday",
					     "thursday", "friday", "saturday" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct str name = str_from(names[i]);

		if (!str_equal_nocase(text, name) && !str_equal_nocase(text, str_first(name, 3)))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* "mon", or "fri-mon", which goes over the end of the week. */
static bool parse_days_item(struct str item, unsigned *mask)
{
	size_t dash = str_find(item, '-');
	unsigned first;
	unsigned last;

	if (!parse_day(str_trim(str_first(item, dash)), &first))
		return false;
	last = first;
	if (dash < item.len && !parse_day(str_trim(str_from_pos(item, dash + 1)), &last))
		return false;
	for (unsigned day = first;; day = (day + 1) % 7) {
		*mask |= 1u << day;
		if (day == last)
			return true;
	}
}

bool time_parse_days(struct str text, unsigned *ret_mask)
{
	struct str rest = text;
	struct str item;
	unsigned mask = 0;

	if (str_equal(text, STR("*"))) {
		*ret_mask = 0x7f;
		return true;
	}
	while (str_cut(&rest, ',', &item))
		if (!parse_days_item(str_trim(item), &mask))
			return false;
	if (!mask)
		return false;
	*ret_mask = mask;
	return true;
}
