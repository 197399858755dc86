/*
 * policy_time.c - date, day_of_week and time_of_day
 *
 * A range begins with its first second and ends before its last. Ranges of the local day change at their ends and wherever the
 * clock of the zone jumps.
 */

#include "policy/policy_parts.h"
#include "policy/time_parse.h"

#define DAYS_ALL  0x7fu
#define THURSDAY  4 /* 1970-01-01 */
#define WEEK_DAYS 7

/* ---- reading ---- */

static const struct time_zone *zone_open(struct reader *r, struct str name)
{
	struct time_zone *zone = time_zone_open(name);

	if (!zone)
		return NULL;
	struct zone_owner *owner = arena_alloc(&r->policy->arena, sizeof(*owner));
	*owner = (struct zone_owner){ .next = r->policy->zones, .zone = zone };
	r->policy->zones = owner;
	r->policy->has_time = true;
	return zone;
}

static void read_zone(struct reader *r, const struct yaml_node *node, const struct time_zone **ret)
{
	if (node->kind == YAML_SCALAR)
		*ret = zone_open(r, node->text);
	if (node->kind != YAML_SCALAR || !*ret)
		reader_error(r, node->at,
			     "\"%.*s\" is not a time zone known here (Europe/Vienna, UTC, +02:00)",
			     STR_FMT(node->text));
}

static void read_date(struct reader *r, const struct yaml_node *node, int64_t *ret)
{
	if (node->kind != YAML_SCALAR || !time_parse_date(node->text, ret))
		reader_error(r, node->at,
			     "\"%.*s\" is not a date (2026-01-31, 2026-01-31T16:20:00Z)",
			     STR_FMT(node->text));
}

static void read_clock(struct reader *r, const struct yaml_node *node, int32_t *ret)
{
	if (node->kind != YAML_SCALAR || !time_parse_clock(node->text, ret))
		reader_error(r, node->at,
			     "\"%.*s\" is not a time of day (15:04, 15:04:05, 3:04 PM)",
			     STR_FMT(node->text));
}

static void read_days(struct reader *r, const struct yaml_node *node, unsigned *ret)
{
	if (node->kind != YAML_SCALAR || !time_parse_days(node->text, ret))
		reader_error(r, node->at,
			     "\"%.*s\" is not a list of days (mon-fri,sun; or * for all)",
			     STR_FMT(node->text));
}

/* What the keys of the three criteria lead to; a NULL takes no such key. */
struct time_keys {
	const char *known; /* for messages */
	const struct time_zone **timezone;
	unsigned *days;
	int64_t *after_unix;
	int64_t *before_unix;
	int32_t *after_s;
	int32_t *before_s;
};

static bool read_key(struct reader *r, const struct time_keys *keys, const struct yaml_pair *pair)
{
	bool is_after = str_equal(pair->key, STR("after"));
	bool is_before = str_equal(pair->key, STR("before"));

	if (is_after && keys->after_unix)
		read_date(r, pair->value, keys->after_unix);
	else if (is_before && keys->before_unix)
		read_date(r, pair->value, keys->before_unix);
	else if (is_after && keys->after_s)
		read_clock(r, pair->value, keys->after_s);
	else if (is_before && keys->before_s)
		read_clock(r, pair->value, keys->before_s);
	else if (str_equal(pair->key, STR("timezone")) && keys->timezone)
		read_zone(r, pair->value, keys->timezone);
	else if (str_equal(pair->key, STR("days")) && keys->days)
		read_days(r, pair->value, keys->days);
	else
		return false;
	return true;
}

/* -1: something was wrong with it. */
static int read_keys(struct reader *r, const struct time_keys *keys, const struct yaml_node *node)
{
	size_t before = r->mistake_count;

	if (node->kind != YAML_MAPPING) {
		reader_error(r, node->at, "a mapping is needed here (%s)", keys->known);
		return -1;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		size_t mark = reader_enter(r, ".%.*s", STR_FMT(pair->key));
		bool is_known = read_key(r, keys, pair);

		reader_leave(r, mark);
		if (!is_known)
			reader_error(r, pair->at, "\"%.*s\" is not known here (%s)",
				     STR_FMT(pair->written), keys->known);
	}
	return r->mistake_count == before ? 0 : -1;
}

/* ---- date ---- */

void date_range_read(struct reader *r, const struct yaml_node *node, struct date_range *ret)
{
	const struct time_keys keys = {
		.known = "after, before",
		.after_unix = &ret->after_unix,
		.before_unix = &ret->before_unix,
	};

	*ret = (struct date_range){ .after_unix = INT64_MIN, .before_unix = INT64_MAX };
	r->policy->has_time = true;
	if (read_keys(r, &keys, node) < 0)
		return;
	if (node->count == 0)
		reader_error(r, node->at, "\"after\" or \"before\" is missing");
	else if (ret->after_unix >= ret->before_unix)
		reader_error(r, node->at, "no moment is after the one and before the other");
}

bool date_range_has(const struct date_range *range, int64_t at_unix)
{
	return at_unix >= range->after_unix && at_unix < range->before_unix;
}

int64_t date_range_next(const struct date_range *range, int64_t at_unix)
{
	if (at_unix < range->after_unix)
		return range->after_unix;
	return at_unix < range->before_unix ? range->before_unix : INT64_MAX;
}

/* ---- the local day ---- */

/* Seconds since local midnight. */
static int32_t local_second(const struct time_zone *zone, int64_t at_unix, int64_t *ret_day)
{
	int64_t local = at_unix + time_zone_offset(zone, at_unix);
	int32_t second = (int32_t)(local % DAY_S);

	if (second < 0)
		second += DAY_S;
	*ret_day = (local - second) / DAY_S;
	return second;
}

void week_days_read(struct reader *r, const struct yaml_node *node, struct week_days *ret)
{
	const struct time_keys keys = {
		.known = "days, timezone",
		.timezone = &ret->zone,
		.days = &ret->mask,
	};

	if (node->kind != YAML_MAPPING) {
		ret->zone = zone_open(r, STR("Z"));
		read_days(r, node, &ret->mask);
		return;
	}
	if (read_keys(r, &keys, node) == 0 && (!ret->zone || !ret->mask))
		reader_error(r, node->at, "\"%s\" is missing", ret->zone ? "days" : "timezone");
}

bool week_days_have(const struct week_days *days, int64_t at_unix)
{
	int64_t day;

	(void)local_second(days->zone, at_unix, &day); /* the day alone */
	int64_t of_week = (day + THURSDAY) % WEEK_DAYS;

	return days->mask >> (of_week < 0 ? of_week + WEEK_DAYS : of_week) & 1;
}

int64_t week_days_next(const struct week_days *days, int64_t at_unix)
{
	int64_t day;

	if (days->mask == DAYS_ALL)
		return INT64_MAX;
	int32_t second = local_second(days->zone, at_unix, &day);
	return time_zone_next_change(days->zone, at_unix, at_unix + DAY_S - second);
}

void day_range_read(struct reader *r, const struct yaml_node *node, struct day_range *ret)
{
	const struct time_keys keys = {
		.known = "timezone, after, before",
		.timezone = &ret->zone,
		.after_s = &ret->after_s,
		.before_s = &ret->before_s,
	};

	*ret = (struct day_range){ .after_s = -1, .before_s = -1 };
	if (read_keys(r, &keys, node) < 0)
		return;
	if (!ret->zone)
		reader_error(r, node->at, "\"timezone\" is missing");
	else if (ret->after_s < 0 && ret->before_s < 0)
		reader_error(r, node->at, "\"after\" or \"before\" is missing");
	if (ret->after_s < 0)
		ret->after_s = 0;
	if (ret->before_s < 0)
		ret->before_s = DAY_S;
	if (ret->after_s == ret->before_s)
		reader_error(r, node->at, "no time of day is after the one and before the other");
}

bool day_range_has(const struct day_range *range, int64_t at_unix)
{
	int64_t day;
	int32_t second = local_second(range->zone, at_unix, &day);
	bool is_after = second >= range->after_s;
	bool is_before = second < range->before_s;

	return range->after_s > range->before_s ? is_after || is_before : is_after && is_before;
}

static int32_t seconds_until(int32_t second, int32_t boundary)
{
	return boundary > second ? boundary - second : boundary + DAY_S - second;
}

int64_t day_range_next(const struct day_range *range, int64_t at_unix)
{
	int64_t day;
	int32_t second = local_second(range->zone, at_unix, &day);
	int32_t after = seconds_until(second, range->after_s);
	int32_t before = seconds_until(second, range->before_s);

	return time_zone_next_change(range->zone, at_unix,
				     at_unix + (after < before ? after : before));
}
