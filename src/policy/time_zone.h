#pragma once

/*
 * time_zone.h - what the clock on the wall shows somewhere
 *
 * Ownership  time_zone_open() gives an immutable object; release with time_zone_free().
 * Threads    Opening reads files of the system; what was opened may be asked by any number of threads, and asking allocates
 *            nothing.
 */

#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

#define TIME_ZONE_NAME_MAX 64

struct time_zone;

/* "Europe/Vienna", "UTC", "Z", "+02:00", "-0330", "+9". NULL if there is no such zone. */
struct time_zone *time_zone_open(struct str name);
void time_zone_free(struct time_zone *zone); /* NULL is ignored */

DEFINE_CLEANUP(struct time_zone, time_zone_free)

/* Local time minus UTC, in seconds. */
int32_t time_zone_offset(const struct time_zone *zone, int64_t at_unix);

/* The first moment in (from_unix, until_unix] at which the offset may be another; until_unix if there is none. */
int64_t time_zone_next_change(const struct time_zone *zone, int64_t from_unix, int64_t until_unix);
