#include "proxy/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  20000
#define LIMIT   3

static void test_limit(void **state)
{
	struct admission_count c = { 0 };

	assert_true(admission_enter(&c, 2));
	assert_true(admission_enter(&c, 2));
	assert_false(admission_enter(&c, 2));
	assert_false(admission_enter(&c, 0));
	assert_int_equal(c.inside, 2);
	assert_int_equal(c.refused, 2);
	admission_leave(&c);
	assert_true(admission_enter(&c, 2));
	/* A limit that was lowered throws nobody out. */
	assert_false(admission_enter(&c, 1));
	assert_true(admission_enter(&c, UINT64_MAX));
	assert_int_equal(c.inside, 3);
}

static void test_reports(void **state)
{
	struct admission_count c = { 0 };

	assert_false(admission_enter(&c, 0));
	assert_int_equal(admission_take_refused(&c, 1000), 1);
	assert_false(admission_enter(&c, 0));
	assert_int_equal(admission_take_refused(&c, 1000), 0);
	assert_false(admission_enter(&c, 0));
	assert_int_equal(admission_take_refused(&c, 1000 + ADMISSION_REPORT_INTERVAL_MS - 1), 0);
	assert_int_equal(admission_take_refused(&c, 1000 + ADMISSION_REPORT_INTERVAL_MS), 2);
	assert_int_equal(c.refused, 3);
}

static void *come_and_go(void *arg)
{
	struct admission_count *c = arg;
	uintptr_t entered = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (!admission_enter(c, LIMIT))
			continue;
		entered++;
		admission_leave(c);
	}
	return (void *)entered;
}

/* Nobody is lost and nobody counted twice. */
static void test_threads(void **state)
{
	struct admission_count c = { 0 };
	pthread_t threads[THREADS];
	uintptr_t entered = 0;

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &c), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *count;

		assert_int_equal(pthread_join(threads[i], &count), 0);
		entered += (uintptr_t)count;
	}
	assert_int_equal(c.inside, 0);
	assert_int_equal(entered + c.refused, THREADS * ROUNDS);
	assert_int_equal(c.unreported, c.refused);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
