#pragma once

/*
 * clock_fake.h - the clocks of base/clock.h, moved by the test
 *
 * Link clock_fake.c into the test program: it takes the place of base/clock.c. The clocks start at
 * 1000000 ms and 2026-01-01T00:00:00Z.
 */

#include <stdint.h>

void clock_fake_set_ms(uint64_t now_ms);
void clock_fake_set_unix(int64_t now_unix);

/* Moves both clocks; the wall clock by whole seconds, carrying the rest. */
void clock_fake_advance_ms(uint64_t ms);
