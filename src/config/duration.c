/*
 * duration.c - durations as Go writes them: numbers with a unit, one after the other
 *
 * Exact integer arithmetic: a fraction is cut at nanoseconds.
 */

#include "config/value.h"

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },           { "us", 1000 },      { "\xc2\xb5s", 1000 }, /* the micro sign */
	{ "\xce\xbcs", 1000 },                                             /* the Greek letter */
	{ "ms", 1000000 },     { "s", 1000000000 }, { "m", 60000000000 },  { "h", 3600000000000 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t count_digits(struct str s)
{
	size_t count = 0;

	while (count < s.len && is_digit(s.at[count]))
		count++;
	return count;
}

static size_t unit_length(struct str s)
{
	size_t len = 0;

	while (len < s.len && s.at[len] != '.' && !is_digit(s.at[len]))
		len++;
	return len;
}

static int64_t unit_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_equal(name, str_from(units[i].name)))
			return units[i].ns;
	return 0;
}

static bool whole_to_ns(struct str digits, int64_t unit, int64_t *ret)
{
	int64_t number = 0;

	for (size_t i = 0; i < digits.len; i++)
		if (__builtin_mul_overflow(number, (int64_t)10, &number) ||
		    __builtin_add_overflow(number, (int64_t)(digits.at[i] - '0'), &number))
			return false;
	return !__builtin_mul_overflow(number, unit, ret);
}

static int64_t fraction_to_ns(struct str digits, int64_t unit)
{
	int64_t ns = 0;
	int64_t remainder = unit;

	/* a digit's share is below the unit, so ten times it still fits */
	for (size_t i = 0; i < digits.len && i < 13; i++) {
		int64_t share = (digits.at[i] - '0') * remainder;

		ns += share / 10;
		remainder /= 10;
	}
	return ns;
}

/* One number with its unit, taken from the front of *rest. */
static bool take_part(struct str *rest, int64_t *ret_ns)
{
	struct str whole = str_first(*rest, count_digits(*rest));
	struct str fraction = { 0 };

	*rest = str_from_pos(*rest, whole.len);
	if (str_starts_with(*rest, STR("."))) {
		*rest = str_from_pos(*rest, 1);
		fraction = str_first(*rest, count_digits(*rest));
		*rest = str_from_pos(*rest, fraction.len);
	}
	if (!whole.len && !fraction.len)
		return false;

	struct str name = str_first(*rest, unit_length(*rest));
	int64_t unit = unit_find(name);
	int64_t ns;
	*rest = str_from_pos(*rest, name.len);
	if (!unit || !whole_to_ns(whole, unit, &ns))
		return false;
	return !__builtin_add_overflow(ns, fraction_to_ns(fraction, unit), ret_ns);
}

bool duration_parse(struct str text, int64_t *ret_ns)
{
	struct str rest = text;
	int64_t total = 0;
	bool is_negative = str_starts_with(rest, STR("-"));

	if (is_negative || str_starts_with(rest, STR("+")))
		rest = str_from_pos(rest, 1);
	if (str_equal(rest, STR("0"))) {
		*ret_ns = 0;
		return true;
	}
	if (str_is_empty(rest))
		return false;
	while (rest.len) {
		int64_t part;

		if (!take_part(&rest, &part) || __builtin_add_overflow(total, part, &total))
			return false;
	}
	*ret_ns = is_negative ? -total : total;
	return true;
}
