/*
 * The loop with the real clock: it wakes in time and does not spin until then.
 */

#include "io/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define DELAY_MS 20

static void on_due(struct timer *timer)
{
	loop_stop(timer->loop);
}

static void test_wakes_in_time(void **state)
{
	struct loop *loop = loop_new();
	struct timer timer = { 0 };
	uint64_t begin_ms = clock_now_ms();

	for (unsigned i = 1; i <= 3; i++) {
		timer_start(&timer, loop, begin_ms + i * DELAY_MS, on_due);
		loop_run(loop);
		assert_true(clock_now_ms() >= begin_ms + i * DELAY_MS);
	}
	loop_free(loop);
}

static void test_does_not_spin(void **state)
{
	struct loop *loop = loop_new();
	struct timer timer = { 0 };
	unsigned turns = 0;

	timer_start(&timer, loop, clock_now_ms() + DELAY_MS, on_due);
	for (; timer_is_started(&timer); turns++)
		loop_turn(loop, true);
	assert_in_range(turns, 1, 10);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wakes_in_time),
		cmocka_unit_test(test_does_not_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
