#pragma once

/*
 * time_parse.h - dates and times of day as people write them
 *
 * Fractions of a second are rounded up: facts are whole seconds, and "not before 0.5" begins with 1.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define DAY_S 86400

/* ISO 8601: "2026-01-31", "2026-01-31T16:20", "2026-01-31 16:20:00.5Z", "...+02:00"; UTC if nothing else is said. */
bool time_parse_date(struct str text, int64_t *ret_unix);

/* "15:04:05.999", "15:04:05", "15:04", "3:04 PM", "3PM": seconds since midnight, at most DAY_S. */
bool time_parse_clock(struct str text, int32_t *ret_s);

/* "*", or days and ranges of them: "mon-fri,sunday". Bit 0 is Sunday. */
bool time_parse_days(struct str text, unsigned *ret_mask);
