/*
 * clock.c - the real clocks; tests replace this file
 */

#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static struct timespec read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) < 0)
		abort();
	return now;
}

uint64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

static uint64_t read_us(clockid_t id)
{
	struct timespec now = read_clock(id);

	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_now_unix(void)
{
	return read_clock(CLOCK_REALTIME).tv_sec;
}
