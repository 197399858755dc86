/*
 * time_zone.c - GLib's immutable zones
 *
 * A zone is a list of intervals, each with its offset, in the order of time; so the moment at which one ends is found by
 * halving.
 */

#include "policy/time_zone.h"

#include <glib.h>

#include "base/mem.h"

#define OFFSET_HOURS_MAX 14

struct time_zone {
	GTimeZone *zone;
};

static bool read_two_digits(struct str *text, unsigned *ret)
{
	uint64_t number;
	size_t len = text->len >= 2 ? 2 : 1;

	if (!str_to_uint64(str_first(*text, len), &number))
		return false;
	*text = str_from_pos(*text, len);
	*ret = (unsigned)number;
	return true;
}

/* A sign, hours, and perhaps minutes, with or without ':'. */
static bool read_offset(struct str text, int32_t *ret_s)
{
	unsigned hours;
	unsigned minutes = 0;

	if (text.len < 2 || (text.at[0] != '+' && text.at[0] != '-'))
		return false;
	int sign = text.at[0] == '-' ? -1 : 1;
	struct str rest = str_from_pos(text, 1);
	if (!read_two_digits(&rest, &hours))
		return false;
	if (rest.len == 3 && rest.at[0] == ':')
		rest = str_from_pos(rest, 1);
	if (rest.len == 2 && !read_two_digits(&rest, &minutes))
		return false;
	if (rest.len || minutes > 59 || hours > OFFSET_HOURS_MAX)
		return false;
	*ret_s = sign * (int32_t)(hours * 3600 + minutes * 60);
	return true;
}

/* GLib makes a path of it, and takes rules in the manner of POSIX as well. */
static bool is_zone_name(struct str name)
{
	if (name.len == 0 || name.len > TIME_ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool is_inside = i > 0 && ((c >= '0' && c <= '9') || c == '_' || c == '+' ||
					   c == '-' || c == '/');

		if (!is_letter && !is_inside)
			return false;
	}
	return name.at[name.len - 1] != '/';
}

static GTimeZone *open_named(struct str name)
{
	if (str_equal(name, STR("Z")))
		return g_time_zone_new_utc();
	if (!is_zone_name(name))
		return NULL;
	_cleanup_(mem_freep) char *text = str_copy(name);

	return g_time_zone_new_identifier(text);
}

struct time_zone *time_zone_open(struct str name)
{
	int32_t offset_s;
	GTimeZone *found = read_offset(name, &offset_s) ? g_time_zone_new_offset(offset_s)
							: open_named(name);

	if (!found)
		return NULL;
	struct time_zone *zone = mem_alloc(sizeof(*zone));
	zone->zone = found;
	return zone;
}

void time_zone_free(struct time_zone *zone)
{
	if (!zone)
		return;
	g_time_zone_unref(zone->zone);
	mem_free(zone);
}

static int interval_at(const struct time_zone *zone, int64_t at_unix)
{
	return g_time_zone_find_interval(zone->zone, G_TIME_TYPE_UNIVERSAL, at_unix);
}

int32_t time_zone_offset(const struct time_zone *zone, int64_t at_unix)
{
	return g_time_zone_get_offset(zone->zone, interval_at(zone, at_unix));
}

int64_t time_zone_next_change(const struct time_zone *zone, int64_t from_unix, int64_t until_unix)
{
	int now = interval_at(zone, from_unix);
	int64_t same = from_unix;
	int64_t other = until_unix;

	if (interval_at(zone, until_unix) == now)
		return until_unix;
	while (other - same > 1) {
		int64_t middle = same + (other - same) / 2;

		if (interval_at(zone, middle) == now)
			same = middle;
		else
			other = middle;
	}
	return other;
}
