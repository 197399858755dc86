/*
 * device_guard_test.c - how often device logins may be asked for, polled and guessed
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "proxy/device_guard.h"
#include "session/device_login.h"

#define NOW     UINT64_C(5000000)
#define LIFE_MS (UINT64_C(1000) * DEVICE_LIFE_S)

static struct addr source(const char *ip)
{
	struct addr a;

	assert_true(addr_from_ip(str_from(ip), 1234, &a));
	return a;
}

static void test_asking(void **state)
{
	struct device_guard *g = device_guard_new();
	const struct addr one = source("192.0.2.1");
	const struct addr other = source("192.0.2.2");

	for (unsigned i = 0; i < DEVICE_LOGINS_PER_SOURCE_MAX; i++)
		assert_int_equal(device_guard_ask(g, &one, NOW + i), 0);
	assert_int_equal(device_guard_ask(g, &one, NOW + 1000), DEVICE_LIFE_S - 1);
	assert_int_equal(device_guard_ask(g, &one, NOW + LIFE_MS - 1), 1);
	assert_int_equal(device_guard_ask(g, &other, NOW + 1000), 0);
	/* The next window begins with the next try. */
	assert_int_equal(device_guard_ask(g, &one, NOW + LIFE_MS), 0);
	device_guard_free(g);
}

static void test_asking_in_all(void **state)
{
	struct device_guard *g = device_guard_new();
	struct addr a;
	char ip[32];

	for (unsigned i = 0; i < DEVICE_LOGINS_MAX; i++) {
		(void)snprintf(ip, sizeof(ip), "10.0.%u.%u", i / 200, i % 200);
		a = source(ip);
		assert_int_equal(device_guard_ask(g, &a, NOW), 0);
	}
	a = source("192.0.2.1");
	for (unsigned i = 0; i < DEVICE_LOGINS_PER_SOURCE_MAX; i++)
		assert_int_equal(device_guard_ask(g, &a, NOW), DEVICE_LIFE_S);
	/* What was refused was not counted. */
	for (unsigned i = 0; i < DEVICE_LOGINS_PER_SOURCE_MAX; i++)
		assert_int_equal(device_guard_ask(g, &a, NOW + LIFE_MS), 0);
	device_guard_free(g);
}

/* A /64 is one source; an IPv4 address is the same in both families. */
static void test_sources(void **state)
{
	struct device_guard *g = device_guard_new();
	struct addr a;
	char ip[64];

	for (unsigned i = 0; i < DEVICE_LOGINS_PER_SOURCE_MAX; i++) {
		(void)snprintf(ip, sizeof(ip), "2001:db8:1:2:%x::1", i);
		a = source(ip);
		assert_int_equal(device_guard_ask(g, &a, NOW), 0);
		(void)snprintf(ip, sizeof(ip), i % 2 ? "::ffff:192.0.2.1" : "192.0.2.1");
		a = source(ip);
		assert_int_equal(device_guard_ask(g, &a, NOW), 0);
	}
	a = source("2001:db8:1:2::77");
	assert_true(device_guard_ask(g, &a, NOW) > 0);
	a = source("2001:db8:1:3::77");
	assert_int_equal(device_guard_ask(g, &a, NOW), 0);
	a = source("192.0.2.1");
	assert_true(device_guard_ask(g, &a, NOW) > 0);
	a = source("::ffff:192.0.2.1");
	assert_true(device_guard_ask(g, &a, NOW) > 0);
	device_guard_free(g);
}

static void test_polls(void **state)
{
	const uint64_t interval_ms = 1000 * DEVICE_INTERVAL_S;
	struct device_guard *g = device_guard_new();
	const struct addr a = source("192.0.2.1");
	uint64_t now = NOW;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(device_guard_begin_poll(g, STR("code"), &a, now), 0);
		device_guard_poll_is_known(g, &a);
		assert_int_equal(device_guard_begin_poll(g, STR("code"), &a, now), 2);
		assert_int_equal(
			device_guard_begin_poll(g, STR("code"), &a,
						now + interval_ms - DEVICE_POLL_SLACK_MS - 1),
			1);
		/* The other's time is his own. */
		assert_int_equal(device_guard_begin_poll(g, STR("other"), &a, now), 0);
		device_guard_poll_is_known(g, &a);
		now += interval_ms - DEVICE_POLL_SLACK_MS;
	}
	device_guard_free(g);
}

static void test_unknown_polls(void **state)
{
	struct device_guard *g = device_guard_new();
	const struct addr a = source("192.0.2.1");
	const struct addr other = source("192.0.2.2");
	char code[32];

	for (unsigned i = 0; i < DEVICE_UNKNOWN_PER_SOURCE_MAX; i++) {
		(void)snprintf(code, sizeof(code), "%u", i);
		assert_int_equal(device_guard_begin_poll(g, str_from(code), &a, NOW), 0);
	}
	assert_int_equal(device_guard_begin_poll(g, STR("x"), &a, NOW), DEVICE_LIFE_S);
	assert_int_equal(device_guard_begin_poll(g, STR("x"), &other, NOW), 0);
	device_guard_poll_is_known(g, &a);
	assert_int_equal(device_guard_begin_poll(g, STR("y"), &a, NOW), 0);
	assert_int_equal(device_guard_begin_poll(g, STR("z"), &a, NOW), DEVICE_LIFE_S);
	device_guard_free(g);
}

static void test_guesses(void **state)
{
	struct device_guard *g = device_guard_new();
	const struct addr a = source("192.0.2.1");
	const struct addr other = source("192.0.2.2");
	const unsigned sessions = DEVICE_GUESSES_PER_SOURCE_MAX / DEVICE_GUESSES_MAX;
	char session[32];

	/* Right ones do not count, and do not make up for wrong ones. */
	for (unsigned i = 0; i < DEVICE_GUESSES_MAX; i++) {
		assert_int_equal(device_guard_begin_guess(g, STR("0"), &a, NOW), 0);
		if (i == DEVICE_GUESSES_MAX - 1)
			break;
		assert_int_equal(device_guard_begin_guess(g, STR("0"), &a, NOW), 0);
		device_guard_guess_is_right(g, STR("0"), &a);
	}
	assert_int_equal(device_guard_begin_guess(g, STR("0"), &a, NOW), DEVICE_LIFE_S);
	/* From elsewhere it is still the same session. */
	assert_int_equal(device_guard_begin_guess(g, STR("0"), &other, NOW), DEVICE_LIFE_S);
	/* With other sessions it is still the same source. */
	for (unsigned i = DEVICE_GUESSES_MAX; i < sessions * DEVICE_GUESSES_MAX; i++) {
		(void)snprintf(session, sizeof(session), "%u", i / DEVICE_GUESSES_MAX);
		assert_int_equal(device_guard_begin_guess(g, str_from(session), &a, NOW), 0);
	}
	assert_int_equal(device_guard_begin_guess(g, STR("new"), &a, NOW), DEVICE_LIFE_S);
	for (unsigned i = 0; i < DEVICE_GUESSES_MAX; i++)
		assert_int_equal(device_guard_begin_guess(g, STR("new"), &other, NOW), 0);
	assert_int_equal(device_guard_begin_guess(g, STR("0"), &a, NOW + LIFE_MS), 0);
	device_guard_free(g);
}

/* Keys without end: the oldest are forgotten, and only of their own kind. */
static void test_bounded(void **state)
{
	struct device_guard *g = device_guard_new();
	const struct addr a = source("192.0.2.1");
	char code[32];

	for (unsigned i = 0; i < DEVICE_GUESSES_MAX; i++)
		assert_int_equal(device_guard_begin_guess(g, STR("0"), &a, NOW), 0);
	for (unsigned i = 0; i < 3 * DEVICE_GUARD_KEYS_MAX; i++) {
		(void)snprintf(code, sizeof(code), "%u", i);
		assert_int_equal(device_guard_begin_poll(g, str_from(code), &a, NOW), 0);
		device_guard_poll_is_known(g, &a);
	}
	assert_true(device_guard_begin_poll(g, str_from(code), &a, NOW) > 0);
	assert_int_equal(device_guard_begin_poll(g, STR("0"), &a, NOW), 0);
	/* To look at those that are there forgets none. */
	(void)snprintf(code, sizeof(code), "%u", 2 * DEVICE_GUARD_KEYS_MAX + 1);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(device_guard_begin_poll(g, str_from(code), &a, NOW) > 0);
	assert_int_equal(device_guard_begin_guess(g, STR("0"), &a, NOW), DEVICE_LIFE_S);
	device_guard_free(g);
}

/* Another thread that read the clock first. */
static void test_clock_read_before(void **state)
{
	struct device_guard *g = device_guard_new();
	const struct addr a = source("192.0.2.1");

	assert_int_equal(device_guard_begin_poll(g, STR("code"), &a, NOW), 0);
	assert_int_equal(device_guard_begin_poll(g, STR("code"), &a, NOW - 1), 2);
	device_guard_free(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asking),        cmocka_unit_test(test_asking_in_all),
		cmocka_unit_test(test_sources),       cmocka_unit_test(test_polls),
		cmocka_unit_test(test_unknown_polls), cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_bounded),       cmocka_unit_test(test_clock_read_before),
	};

	device_guard_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
