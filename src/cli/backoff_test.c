#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/backoff.h"

static void test_growth(void **state)
{
	for (int round = 0; round < 100; round++) {
		struct backoff b = { 0 };
		uint64_t middle = BACKOFF_FIRST_MS;

		for (int i = 0; i < 30; i++) {
			uint64_t wait = backoff_next_ms(&b);

			assert_in_range(wait, middle / 2, middle + middle / 2);
			assert_int_equal(b.middle_ms, middle);
			middle += middle / 2;
			middle = middle > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : middle;
		}
		assert_int_equal(b.middle_ms, BACKOFF_MAX_MS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_growth) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
