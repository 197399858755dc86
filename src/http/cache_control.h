#pragma once

/*
 * cache_control.h - how long a response stays fresh (RFC 9111 section 5.2.2)
 */

#include <stdint.h>

#include "base/str.h"

/* What max-age becomes that is larger (section 1.2.2). */
#define CACHE_MAX_AGE_MAX 2147483648

/*
 * Seconds, for the value of one Cache-Control header; -1 if it says nothing about it. no-store, no-cache and a
 * max-age that cannot be read are 0; of several values the smallest counts.
 */
int64_t cache_control_max_age(struct str value);
