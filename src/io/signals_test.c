#include "io/signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

struct bed {
	struct loop *loop;
	struct signals *signals;
	unsigned usr1;
	unsigned usr2;
};

static void on_signal(void *arg, int number)
{
	struct bed *bed = arg;

	bed->usr1 += number == SIGUSR1;
	bed->usr2 += number == SIGUSR2;
	if (number == SIGUSR2)
		signals_close(bed->signals);
}

static void test_signals(void **state)
{
	static const int numbers[] = { SIGUSR1, SIGUSR2, 0 };
	struct bed bed = { .loop = loop_new() };
	int fds[2];

	bed.signals = signals_open(bed.loop, numbers, on_signal, &bed);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(bed.usr1, 0);
	loop_turn(bed.loop, true);
	assert_int_equal(bed.usr1, 1);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	loop_turn(bed.loop, true);
	assert_int_equal(bed.usr1, 1);
	assert_int_equal(bed.usr2, 1);

	/* Would end the process otherwise. */
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	close(fds[1]);
	loop_free(bed.loop);
}

static void test_no_signals(void **state)
{
	static const int numbers[] = { 0 };
	struct loop *loop = loop_new();

	signals_close(signals_open(loop, numbers, on_signal, NULL));
	signals_close(NULL);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
