#pragma once

/*
 * login_guard.h - slows the guessing of passwords
 *
 * Counts failures per account (lower-cased e-mail) and per source address (of IPv6: per /64).
 * From the LOGIN_GUARD_FREE_TRIES-th failure on, each further one doubles the time before the
 * next try is looked at, up to LOGIN_GUARD_DELAY_MAX_S; a success clears the account, quiet time
 * forgets. Tries in progress count as failures until they are resolved, so that many at once do
 * not slip through. The table is bounded: when full, the entry that was quiet longest is
 * forgotten.
 *
 * Threads    Any; one mutex.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define LOGIN_GUARD_FREE_TRIES  5
#define LOGIN_GUARD_DELAY_MAX_S 300
#define LOGIN_GUARD_FORGET_S    900
#define LOGIN_GUARD_ENTRIES_MAX 16384

struct login_guard;

struct login_guard *login_guard_new(void);
void login_guard_free(struct login_guard *g);

/*
 * Begins a try: 0 if it may go on, else the seconds to wait (for Retry-After; nothing was
 * counted).
 */
unsigned login_guard_begin(struct login_guard *g, struct str email, struct str source_ip,
			   int64_t now_unix);

/* Ends a try that was let through. */
void login_guard_end(struct login_guard *g, struct str email, struct str source_ip,
		     bool was_successful, int64_t now_unix);
