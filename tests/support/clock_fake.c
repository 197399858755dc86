/*
 * clock_fake.c - atomic, so that code under test may read the time on other threads
 */

#include "tests/support/clock_fake.h"

#include <stdatomic.h>

#include "base/clock.h"

/* The one place where a test needs globals: the functions of clock.h have no argument to carry state. */
static atomic_uint_fast64_t monotonic_ms = 1000000;
static atomic_int_fast64_t wall_ms = 1767225600000;

void clock_fake_set_ms(uint64_t now_ms)
{
	atomic_store(&monotonic_ms, now_ms);
}

void clock_fake_set_unix(int64_t now_unix)
{
	atomic_store(&wall_ms, now_unix * 1000);
}

void clock_fake_advance_ms(uint64_t ms)
{
	atomic_fetch_add(&monotonic_ms, ms);
	atomic_fetch_add(&wall_ms, (int64_t)ms);
}

uint64_t clock_now_ms(void)
{
	return atomic_load(&monotonic_ms);
}

uint64_t clock_now_us(void)
{
	return atomic_load(&monotonic_ms) * 1000;
}

uint64_t clock_thread_cpu_us(void)
{
	return clock_now_us();
}

int64_t clock_now_unix(void)
{
	return atomic_load(&wall_ms) / 1000;
}
