/*
 * policy_time_test.c - dates, days and times of day, minute by minute; also where the clock jumps
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "policy/policy.h"
#include "policy/time_parse.h"

static struct policy *compile(const char *criterion)
{
	struct report report = { 0 };
	struct yaml *yaml = NULL;
	char text[512];

	(void)snprintf(text, sizeof(text), "allow: {or: [{%s}]}", criterion);
	assert_int_equal(yaml_parse(str_from(text), "p.yaml", YAML_FORM_YAML, &yaml, &report), 0);
	const struct config_route route = { .access = { .policy = yaml_root(yaml) } };
	struct policy *policy = policy_compile(&route, POLICY_CERTIFICATE_FREE, &report);
	if (!policy)
		fail_msg("%s", report.problems[0].text);
	report_done(&report);
	yaml_free(yaml);
	return policy;
}

static bool is_open(const struct policy *policy, int64_t at_unix)
{
	const struct policy_input input = { .now_unix = at_unix };
	struct decision d;

	policy_eval(policy, &input, &d);
	return d.allow;
}

static int64_t moment(const char *text)
{
	int64_t at_unix;

	assert_true(time_parse_date(str_from(text), &at_unix));
	return at_unix;
}

struct time_case {
	const char *criterion;
	const char *at;
	bool holds;
};

static void check(const struct time_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct policy *policy = compile(cases[i].criterion);

		if (is_open(policy, moment(cases[i].at)) != cases[i].holds)
			fail_msg("%s at %s: not %s", cases[i].criterion, cases[i].at,
				 cases[i].holds ? "held" : "refused");
		policy_free(policy);
	}
}

static void test_dates(void **state)
{
	static const struct time_case cases[] = {
		{ "date: {after: 2026-03-04}", "2026-03-03T23:59:59Z", false },
		{ "date: {after: 2026-03-04}", "2026-03-04T00:00:00Z", true },
		{ "date: {before: 2026-03-04T12:00:00+02:00}", "2026-03-04T09:59:59Z", true },
		{ "date: {before: 2026-03-04T12:00:00+02:00}", "2026-03-04T10:00:00Z", false },
		{ "date: {after: 2026-03-04, before: 2026-03-05}", "2026-03-04T23:59:59Z", true },
		{ "date: {after: 2026-03-04, before: 2026-03-05}", "2026-03-05T00:00:00Z", false },
	};

	check(cases, ARRAY_LEN(cases));
}

static void test_days(void **state)
{
	static const struct time_case cases[] = {
		{ "day_of_week: wed", "2026-03-04T00:00:00Z", true },
		{ "day_of_week: wed", "2026-03-04T23:59:59Z", true },
		{ "day_of_week: wed", "2026-03-05T00:00:00Z", false },
		{ "day_of_week: mon-fri", "2026-03-07T12:00:00Z", false },
		{ "day_of_week: '*'", "2026-03-07T12:00:00Z", true },
		{ "day_of_week: thu", "1970-01-01T12:00:00Z", true },
		{ "day_of_week: wed", "1969-12-31T12:00:00Z", true },
		{ "day_of_week: {days: mon, timezone: Asia/Tokyo}", "2026-03-01T15:00:00Z", true },
		{ "day_of_week: {days: mon, timezone: Asia/Tokyo}", "2026-03-01T14:59:59Z", false },
		{ "day_of_week: {days: sun, timezone: '-05:00'}", "2026-03-02T04:59:59Z", true },
	};

	check(cases, ARRAY_LEN(cases));
}

static void test_times_of_day(void **state)
{
#define OFFICE "time_of_day: {timezone: Europe/Vienna, after: 9 AM, before: 17:00}"
#define NIGHT  "time_of_day: {timezone: +01:00, after: 22:00, before: 06:00}"
	static const struct time_case cases[] = {
		{ OFFICE, "2026-01-15T07:59:59Z", false },
		{ OFFICE, "2026-01-15T08:00:00Z", true },
		{ OFFICE, "2026-01-15T15:59:59Z", true },
		{ OFFICE, "2026-01-15T16:00:00Z", false },
		{ OFFICE, "2026-07-15T06:59:59Z", false },
		{ OFFICE, "2026-07-15T07:00:00Z", true },
		{ NIGHT, "2026-01-15T20:59:59Z", false },
		{ NIGHT, "2026-01-15T21:00:00Z", true },
		{ NIGHT, "2026-01-15T23:30:00Z", true },
		{ NIGHT, "2026-01-15T04:59:59Z", true },
		{ NIGHT, "2026-01-15T05:00:00Z", false },
		{ "time_of_day: {timezone: UTC, after: 23:00}", "2026-01-15T23:59:59Z", true },
		{ "time_of_day: {timezone: UTC, after: 23:00}", "2026-01-16T00:00:00Z", false },
		{ "time_of_day: {timezone: UTC, before: 01:00}", "2026-01-16T00:59:59Z", true },
		{ "time_of_day: {timezone: UTC, after: 18:00, before: 00:00}",
		  "2026-01-15T23:59:59Z", true },
		{ "time_of_day: {timezone: UTC, after: 18:00, before: 00:00}",
		  "2026-01-15T00:00:00Z", false },
	};

	check(cases, ARRAY_LEN(cases));
}

/*
 * From the first moment to the last, in steps: wherever the answer differs from the one before, policy_next_change() had
 * announced a moment no later; and what it announces lies ahead.
 */
static void check_changes(const char *criterion, const char *from, const char *until)
{
	struct policy *policy = compile(criterion);
	int64_t next = moment(from);
	bool was_open = false;
	unsigned changes = 0;

	for (int64_t at = moment(from); at < moment(until); at += 60) {
		bool is = is_open(policy, at);

		if (at < next && is != was_open)
			fail_msg("%s: changes at %lld, announced for %lld", criterion,
				 (long long)at, (long long)next);
		changes += is != was_open;
		was_open = is;
		if (at < next)
			continue;
		next = policy_next_change(policy, at);
		if (next <= at)
			fail_msg("%s: at %lld announced %lld", criterion, (long long)at,
				 (long long)next);
	}
	assert_true(changes > 0);
	policy_free(policy);
}

static void test_changes_are_announced(void **state)
{
	static const char *const criteria[] = {
		"date: {after: 2026-03-28T12:00:00Z, before: 2026-03-30}",
		"day_of_week: sun",
		"day_of_week: {days: 'sat,sun', timezone: Europe/Vienna}",
		"time_of_day: {timezone: Europe/Vienna, after: 02:30, before: 03:30}",
		"time_of_day: {timezone: Europe/Vienna, after: 01:59}",
		"time_of_day: {timezone: Europe/Vienna, before: 03:00}",
		"time_of_day: {timezone: America/New_York, after: 22:00, before: 02:30}",
		"time_of_day: {timezone: Australia/Lord_Howe, after: 01:45, before: 02:15}",
	};

	for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
		/* the clock goes forward in Vienna on the 29th of March, in New York on the 8th */
		check_changes(criteria[i], "2026-03-06", "2026-04-07");
		if (i > 0) /* and back */
			check_changes(criteria[i], "2026-10-22", "2026-11-03");
	}
}

static void test_exact_changes(void **state)
{
	static const struct {
		const char *criterion;
		const char *at;
		const char *next; /* NULL: never */
	} cases[] = {
		{ "accept: 1", "2026-03-04", NULL },
		{ "day_of_week: '*'", "2026-03-04", NULL },
		{ "date: {after: 2026-03-05}", "2026-03-04", "2026-03-05" },
		{ "date: {after: 2026-03-05}", "2026-03-05", NULL },
		{ "date: {before: 2026-03-05}", "2026-03-04", "2026-03-05" },
		{ "day_of_week: mon", "2026-03-04T10:00:00Z", "2026-03-05" },
		{ OFFICE, "2026-01-15T07:59:59Z", "2026-01-15T08:00:00Z" },
		{ OFFICE, "2026-01-15T08:00:00Z", "2026-01-15T16:00:00Z" },
		{ OFFICE, "2026-03-28T16:00:00Z", "2026-03-29T01:00:00Z" },
		{ OFFICE, "2026-03-29T01:00:00Z", "2026-03-29T07:00:00Z" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy *policy = compile(cases[i].criterion);

		assert_int_equal(policy_next_change(policy, moment(cases[i].at)),
				 cases[i].next ? moment(cases[i].next) : INT64_MAX);
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),         cmocka_unit_test(test_days),
		cmocka_unit_test(test_times_of_day),  cmocka_unit_test(test_changes_are_announced),
		cmocka_unit_test(test_exact_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
