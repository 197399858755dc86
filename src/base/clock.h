#pragma once

/*
 * clock.h - the only source of time
 *
 * Tests link tests/support/clock_fake.c instead, where time moves when the test says so.
 */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds on a clock that never jumps; for deadlines. */
uint64_t clock_now_ms(void);

/* Microseconds on the same clock; for durations in logs. */
uint64_t clock_now_us(void);

/* Microseconds for which this thread has had a processor; costs a system call. */
uint64_t clock_thread_cpu_us(void);

/* Seconds since 1970-01-01 UTC; for what other programs will read. */
int64_t clock_now_unix(void);

/* For libraries. The nearest there is: a time_t of 32 bits ends in 2038. */
time_t clock_time_t(int64_t at_unix);

#define CLOCK_RFC3339_MAX   32
#define CLOCK_HTTP_DATE_MAX 32
#define CLOCK_KITCHEN_MAX   32

/* "2026-01-01T01:00:00+01:00" in the local zone ("Z" for UTC), NUL-terminated. */
void clock_format_rfc3339(int64_t at_unix, char out[CLOCK_RFC3339_MAX]);

/* IMF-fixdate of RFC 9110 section 5.6.7: "Thu, 01 Jan 2026 00:00:00 GMT", NUL-terminated. */
void clock_format_http_date(int64_t at_unix, char out[CLOCK_HTTP_DATE_MAX]);

/* "5:57PM" in the local zone, NUL-terminated: for a person who watches a terminal. */
void clock_format_kitchen(int64_t at_unix, char out[CLOCK_KITCHEN_MAX]);
