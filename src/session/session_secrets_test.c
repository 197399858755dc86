#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "session/session_secrets.h"

struct row {
	const char *name;
	const char *refresh_token;
	int64_t access_expires;
	int64_t id_expires;
	int64_t refreshed;
	int64_t userinfo;
	unsigned failures;
	int64_t failed;
	int64_t refresh_due; /* 0: never */
	int64_t userinfo_due;
	int64_t upkeep_due;
};

static const struct row rows[] = {
	{ .name = "nothing known" },
	{ .name = "a minute before the end of the access token",
	  .refresh_token = "r",
	  .access_expires = 4600,
	  .refreshed = 1000,
	  .refresh_due = 4540,
	  .upkeep_due = 4540 },
	{ .name = "the id_token ends earlier",
	  .refresh_token = "r",
	  .access_expires = 4600,
	  .id_expires = 2000,
	  .refreshed = 1000,
	  .refresh_due = 1940,
	  .upkeep_due = 1940 },
	{ .name = "the id_token ends later",
	  .refresh_token = "r",
	  .access_expires = 2000,
	  .id_expires = 4600,
	  .refreshed = 1000,
	  .refresh_due = 1940,
	  .upkeep_due = 1940 },
	{ .name = "only the id_token has an end",
	  .refresh_token = "r",
	  .id_expires = 2000,
	  .refreshed = 1000,
	  .refresh_due = 1940,
	  .upkeep_due = 1940 },
	{ .name = "no end known", .refresh_token = "r", .refreshed = 1000 },
	{ .name = "shorter than a minute: not more often than every 10 s",
	  .refresh_token = "r",
	  .access_expires = 1030,
	  .refreshed = 1000,
	  .refresh_due = 1010,
	  .upkeep_due = 1010 },
	{ .name = "ended when it came",
	  .refresh_token = "r",
	  .access_expires = 1,
	  .refreshed = 1000,
	  .refresh_due = 1010,
	  .upkeep_due = 1010 },
	{ .name = "cannot be renewed", .access_expires = 4600, .refreshed = 1000 },
	{ .name = "cannot be renewed, but looked at",
	  .access_expires = 4600,
	  .refreshed = 1000,
	  .userinfo = 1000,
	  .userinfo_due = 1600,
	  .upkeep_due = 1600 },
	{ .name = "userinfo first",
	  .refresh_token = "r",
	  .access_expires = 4600,
	  .refreshed = 1000,
	  .userinfo = 1000,
	  .refresh_due = 4540,
	  .userinfo_due = 1600,
	  .upkeep_due = 1600 },
	{ .name = "refresh first",
	  .refresh_token = "r",
	  .access_expires = 1300,
	  .refreshed = 1000,
	  .userinfo = 1000,
	  .refresh_due = 1240,
	  .userinfo_due = 1600,
	  .upkeep_due = 1240 },
	{ .name = "failed once",
	  .refresh_token = "r",
	  .access_expires = 1300,
	  .refreshed = 1000,
	  .failures = 1,
	  .failed = 1240,
	  .refresh_due = 1250,
	  .upkeep_due = 1250 },
	{ .name = "failed twice",
	  .refresh_token = "r",
	  .access_expires = 1300,
	  .refreshed = 1000,
	  .failures = 2,
	  .failed = 1250,
	  .refresh_due = 1270,
	  .upkeep_due = 1270 },
	{ .name = "failed three times",
	  .refresh_token = "r",
	  .access_expires = 1300,
	  .refreshed = 1000,
	  .userinfo = 900,
	  .failures = 3,
	  .failed = 1270,
	  .refresh_due = 1310,
	  .userinfo_due = 1500,
	  .upkeep_due = 1310 },
	{ .name = "failed four times: a minute at most",
	  .refresh_token = "r",
	  .access_expires = 1300,
	  .refreshed = 1000,
	  .userinfo = 900,
	  .failures = 4,
	  .failed = 1500,
	  .refresh_due = 1560,
	  .userinfo_due = 1560,
	  .upkeep_due = 1560 },
	{ .name = "failed for years",
	  .refresh_token = "r",
	  .access_expires = 1300,
	  .refreshed = 1000,
	  .failures = UINT32_MAX,
	  .failed = 90000,
	  .refresh_due = 90060,
	  .upkeep_due = 90060 },
	{ .name = "failed long before it is due",
	  .refresh_token = "r",
	  .access_expires = 4600,
	  .refreshed = 1000,
	  .failures = 1,
	  .failed = 1240,
	  .refresh_due = 4540,
	  .upkeep_due = 4540 },
	{ .name = "times at the edge",
	  .refresh_token = "r",
	  .access_expires = INT64_MAX,
	  .refreshed = INT64_MAX,
	  .userinfo = INT64_MAX,
	  .failures = 3,
	  .failed = INT64_MAX,
	  .refresh_due = INT64_MAX,
	  .userinfo_due = INT64_MAX,
	  .upkeep_due = INT64_MAX },
};

static void expect_due(const char *name, int64_t due, const struct session_secrets *s,
		       bool (*is_due)(const struct session_secrets *s, int64_t now_unix))
{
	bool is_right = due ? is_due(s, due) && !is_due(s, due - 1) : !is_due(s, INT64_MAX);

	if (!is_right)
		fail_msg("%s", name);
}

static void test_schedule(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		const struct session_secrets s = {
			.refresh_token = str_from(row->refresh_token),
			.access_expires_unix = row->access_expires,
			.id_expires_unix = row->id_expires,
			.refreshed_unix = row->refreshed,
			.userinfo_unix = row->userinfo,
			.failures = row->failures,
			.failed_unix = row->failed,
		};

		expect_due(row->name, row->refresh_due, &s, session_refresh_is_due);
		expect_due(row->name, row->userinfo_due, &s, session_userinfo_is_due);
		if (session_upkeep_due(&s) != row->upkeep_due)
			fail_msg("%s: %lld", row->name, (long long)session_upkeep_due(&s));
	}
}

static void test_valid_until(void **state)
{
	static const struct {
		const char *refresh_token;
		int64_t access_expires;
		int64_t expires;
		int64_t valid_until;
	} cases[] = {
		{ "r", 2000, 9000, 9000 }, /* it is renewed */
		{ "", 2000, 9000, 2000 },  { "", 9500, 9000, 9000 }, { "", 0, 9000, 9000 },
		{ "", 2000, 0, 2000 },     { "r", 2000, 0, 0 },      { "", 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct session_secrets s = {
			.refresh_token = str_from(cases[i].refresh_token),
			.access_expires_unix = cases[i].access_expires,
			.id_expires_unix = 1, /* does not count here */
		};

		assert_int_equal(session_valid_until(&s, cases[i].expires), cases[i].valid_until);
	}
}

static void test_copies(void **state)
{
	char access[] = "access";
	char refresh[] = "re\0fresh";
	struct session_secrets *s = session_secrets_new(&(struct session_secrets){
		.access_token = str_from(access),
		.refresh_token = str_of(refresh, 8),
		.failures = 7,
	});

	mem_wipe(access, sizeof(access));
	mem_wipe(refresh, sizeof(refresh));
	assert_true(str_equal(s->access_token, STR("access")));
	assert_true(str_equal(s->refresh_token, STR("re\0fresh")));
	assert_true(str_is_empty(s->id_token));
	assert_int_equal(s->failures, 7);
	session_secrets_free(s);
	session_secrets_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_valid_until),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
