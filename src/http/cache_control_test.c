#include "http/cache_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct max_age_case {
	const char *value;
	int64_t expected;
};

static const struct max_age_case cases[] = {
	{ "", -1 },
	{ " ", -1 },
	{ ",,,", -1 },
	{ "public", -1 },
	{ "max-age=3600", 3600 },
	{ "public, max-age=3600", 3600 },
	{ "MAX-AGE=60,must-revalidate", 60 },
	{ "\tmax-age=60 , x", 60 },
	{ "max-age=\"60\"", 60 },
	{ "max-age=0", 0 },
	{ "max-age=007", 7 },
	{ "max-age=60, max-age=30", 30 },
	{ "max-age=30, max-age=60", 30 },
	{ "s-maxage=10, max-age=60", 60 },
	{ "s-maxage=10", -1 },
	{ "xmax-age=10", -1 },
	{ "max-age", 0 },
	{ "max-age=", 0 },
	{ "max-age=\"\"", 0 },
	{ "max-age=-5", 0 },
	{ "max-age=+5", 0 },
	{ "max-age=5.5", 0 },
	{ "max-age=1e9", 0 },
	{ "max-age = 60", -1 },
	{ "max-age=2147483648", 2147483648 },
	{ "max-age=2147483649", 2147483648 },
	{ "max-age=99999999999999999999999999", 2147483648 },
	{ "no-store", 0 },
	{ "no-store, max-age=60", 0 },
	{ "max-age=60, No-Cache", 0 },
	{ "no-cache=\"set-cookie, max-age=1\", max-age=60", 0 },
	/* what is quoted is no directive */
	{ "x=\"a, max-age=1, b\", max-age=60", 60 },
	{ "x=\"\\\", max-age=1\", max-age=60", 60 },
	{ "x=\"unfinished, max-age=1", -1 },
	{ "x=\"\\", -1 },
};

static void test_max_age(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = cache_control_max_age(str_from(cases[i].value));

		if (got != cases[i].expected)
			fail_msg("%s: %lld", cases[i].value, (long long)got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_max_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
