#pragma once

/*
 * backoff.h - how long to wait before something is tried again (protocol.md 8.4)
 *
 * Half a second at first, each time half as much again, at most a minute; each wait is up to half as long or as short, so
 * that many who have failed together do not come back together.
 */

#include <stdint.h>

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS   60000

struct backoff {
	uint64_t middle_ms; /* of the wait before; 0: none yet */
};

uint64_t backoff_next_ms(struct backoff *b);
