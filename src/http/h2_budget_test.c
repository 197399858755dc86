#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/h2_budget.h"

static uint32_t spend_all(struct h2_budgets *b, enum h2_budget budget, uint64_t now_ms)
{
	uint32_t count = 0;

	while (h2_budget_spend(b, budget, now_ms))
		count++;
	return count;
}

static void test_burst_and_rate(void **state)
{
	for (int i = 0; i < H2_BUDGET_COUNT; i++) {
		struct h2_budgets b;
		uint32_t burst = h2_budget_burst(i);
		uint32_t per_second;

		assert_true(h2_budget_name(i)[0]);
		h2_budgets_init(&b, 5000);
		assert_int_equal(spend_all(&b, i, 5000), burst);
		assert_int_equal(spend_all(&b, i, 5999), 0);
		per_second = spend_all(&b, i, 6000);
		assert_in_range(per_second, 1, burst);
		assert_int_equal(spend_all(&b, i, 8000), 2 * per_second);
		/* Never more than the burst, however long it was quiet. */
		assert_int_equal(spend_all(&b, i, UINT64_MAX / 2), burst);
	}
}

static void test_accounts_are_apart(void **state)
{
	struct h2_budgets b;

	h2_budgets_init(&b, 0);
	(void)spend_all(&b, H2_BUDGET_PINGS, 0);
	assert_true(h2_budget_spend(&b, H2_BUDGET_RESETS, 0));
}

static void test_earning(void **state)
{
	struct h2_budgets b;

	h2_budgets_init(&b, 0);
	(void)spend_all(&b, H2_BUDGET_WINDOWS, 0);
	h2_budget_earn(&b, H2_BUDGET_WINDOWS, 2);
	assert_int_equal(spend_all(&b, H2_BUDGET_WINDOWS, 0), 2);
	h2_budget_earn(&b, H2_BUDGET_WINDOWS, UINT32_MAX);
	assert_int_equal(spend_all(&b, H2_BUDGET_WINDOWS, 0), h2_budget_burst(H2_BUDGET_WINDOWS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_and_rate),
		cmocka_unit_test(test_accounts_are_apart),
		cmocka_unit_test(test_earning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
