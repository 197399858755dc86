#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/arena.h"
#include "identity/login_guard.h"

#define ANN STR("ann@example.com")
#define IP  STR("192.0.2.1")

static void failed_try(struct login_guard *g, struct str email, struct str ip, int64_t now)
{
	assert_int_equal(login_guard_begin(g, email, ip, now), 0);
	login_guard_end(g, email, ip, false, now);
}

/* A different source for each n. */
static struct str source(struct arena *arena, int n)
{
	return arena_printf(arena, "10.%d.%d.%d", n >> 16, n >> 8 & 255, n & 255);
}

static void test_delays_double(void **state)
{
	static const unsigned delays[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
	struct login_guard *g = login_guard_new();
	int64_t now = 1000000;

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES - 1; i++)
		failed_try(g, ANN, IP, now);
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		failed_try(g, ANN, IP, now);
		assert_int_equal(login_guard_begin(g, ANN, IP, now), delays[i]);
		assert_int_equal(login_guard_begin(g, ANN, IP, now + delays[i] - 1), 1);
		now += delays[i];
	}
	login_guard_free(g);
}

static void test_account_from_many_sources(void **state)
{
	struct login_guard *g = login_guard_new();
	_cleanup_(arena_done) struct arena arena = { 0 };

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, ANN, source(&arena, i), 1000);
	assert_int_equal(login_guard_begin(g, STR("ANN@Example.COM"), IP, 1000), 1);
	assert_int_equal(login_guard_begin(g, STR("bob@example.com"), IP, 1000), 0);
	login_guard_free(g);
}

static void test_source_against_many_accounts(void **state)
{
	struct login_guard *g = login_guard_new();
	_cleanup_(arena_done) struct arena arena = { 0 };

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, arena_printf(&arena, "%d@b", i), IP, 1000);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1000), 1);
	assert_int_equal(login_guard_begin(g, ANN, STR("192.0.2.2"), 1000), 0);
	login_guard_free(g);
}

static void test_ip6_network_is_one_source(void **state)
{
	struct login_guard *g = login_guard_new();
	_cleanup_(arena_done) struct arena arena = { 0 };

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, arena_printf(&arena, "%d@b", i),
			   arena_printf(&arena, "2001:db8:1:2::%d", i + 1), 1000);
	assert_int_equal(login_guard_begin(g, ANN, STR("2001:db8:1:2:ffff::1"), 1000), 1);
	assert_int_equal(login_guard_begin(g, ANN, STR("2001:db8:1:3::1"), 1000), 0);
	login_guard_free(g);
}

static void test_success_clears_the_account_only(void **state)
{
	struct login_guard *g = login_guard_new();

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES - 1; i++)
		failed_try(g, ANN, IP, 1000);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1000), 0);
	login_guard_end(g, ANN, IP, true, 1000);
	/* The account starts anew, the source has one free try left. */
	failed_try(g, STR("bob@example.com"), IP, 1000);
	assert_int_equal(login_guard_begin(g, STR("bob@example.com"), IP, 1000), 1);
	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, ANN, STR("192.0.2.2"), 1000);
	assert_int_equal(login_guard_begin(g, ANN, STR("192.0.2.3"), 1000), 1);
	login_guard_free(g);
}

static void test_quiet_time_forgets(void **state)
{
	struct login_guard *g = login_guard_new();
	int64_t now = 1000;

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, ANN, IP, now);
	now += LOGIN_GUARD_FORGET_S - 1;
	failed_try(g, ANN, IP, now);
	assert_int_equal(login_guard_begin(g, ANN, IP, now), 2);
	now += LOGIN_GUARD_FORGET_S;
	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, ANN, IP, now);
	assert_int_equal(login_guard_begin(g, ANN, IP, now), 1);
	login_guard_free(g);
}

static void test_tries_in_progress_count(void **state)
{
	struct login_guard *g = login_guard_new();

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		assert_int_equal(login_guard_begin(g, ANN, IP, 1000), 0);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1000), 1);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1001), 0);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1001), 2);
	/* Each of them fails: not counted twice. */
	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES + 1; i++)
		login_guard_end(g, ANN, IP, false, 1002);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1002), 2);
	login_guard_free(g);
}

static void test_waiting_is_not_counted(void **state)
{
	struct login_guard *g = login_guard_new();

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES + 1; i++)
		failed_try(g, ANN, IP, 1000 + i);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(login_guard_begin(g, ANN, IP, 1000 + LOGIN_GUARD_FREE_TRIES), 2);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1000 + LOGIN_GUARD_FREE_TRIES + 2), 0);
	login_guard_free(g);
}

static void test_clock_set_back(void **state)
{
	struct login_guard *g = login_guard_new();

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, ANN, IP, 1000000);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1000), 1);
	assert_int_equal(login_guard_begin(g, ANN, IP, 1001), 0);
	login_guard_free(g);
}

static void test_full_table_forgets_the_quietest(void **state)
{
	struct login_guard *g = login_guard_new();
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct str old = STR("old@b");

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++) {
		failed_try(g, old, source(&arena, i), 1000);
		failed_try(g, ANN, source(&arena, 1000 + i), 1000);
	}
	/* Two entries each; ANN stays active, old does not. */
	for (int i = 0; i < LOGIN_GUARD_ENTRIES_MAX / 2; i++) {
		failed_try(g, arena_printf(&arena, "%d@b", i), source(&arena, 100000 + i), 1001);
		if (i % 1000 == 0)
			login_guard_end(g, ANN, source(&arena, 5000), false, 1001);
	}
	assert_int_equal(login_guard_begin(g, old, STR("192.0.2.8"), 1001), 0);
	assert_true(login_guard_begin(g, ANN, STR("192.0.2.9"), 1001) > 0);
	login_guard_free(g);
}

static void test_hostile_names(void **state)
{
	struct login_guard *g = login_guard_new();
	static const char long_text[100000];
	struct str none = { 0 };

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++)
		failed_try(g, str_of(long_text, sizeof(long_text)), none, 1000);
	assert_int_equal(login_guard_begin(g, str_of(long_text, sizeof(long_text)), IP, 1000), 1);
	assert_int_equal(login_guard_begin(g, none, str_of(long_text, sizeof(long_text)), 1000), 0);
	login_guard_end(g, STR("never@begun"), STR("192.0.2.77"), true, 1000);
	login_guard_end(g, STR("never@begun"), STR("192.0.2.77"), false, 1000);
	login_guard_free(g);
	login_guard_free(NULL);
}

static void *hammer(void *arg)
{
	struct login_guard *g = arg;

	for (int i = 0; i < 2000; i++) {
		if (!login_guard_begin(g, ANN, IP, 1000 + i))
			login_guard_end(g, ANN, IP, i % 3 == 0, 1000 + i);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct login_guard *g = login_guard_new();
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, g), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	login_guard_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delays_double),
		cmocka_unit_test(test_account_from_many_sources),
		cmocka_unit_test(test_source_against_many_accounts),
		cmocka_unit_test(test_ip6_network_is_one_source),
		cmocka_unit_test(test_success_clears_the_account_only),
		cmocka_unit_test(test_quiet_time_forgets),
		cmocka_unit_test(test_tries_in_progress_count),
		cmocka_unit_test(test_waiting_is_not_counted),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_full_table_forgets_the_quietest),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
