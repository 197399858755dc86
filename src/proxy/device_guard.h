#pragma once

/*
 * device_guard.h - slows whoever asks for device logins, polls for them or guesses their codes too often
 *
 * Everything that is limited is counted per key (a source address, of IPv6: its /64; a session; a device code) from the
 * first time on until its window of time is over. What is not known when it begins is counted as bad until it is told to
 * have been good, so that many at once do not slip through.
 *
 * Ownership  device_guard_new() gives one; it outlives its users.
 * Threads    Any; one mutex.
 * Limits     DEVICE_GUARD_KEYS_MAX per kind: when full, the key whose window began first is forgotten.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

#define DEVICE_GUARD_KEYS_MAX 8192

/* Within the life of a device login. */
#define DEVICE_LOGINS_MAX             5000 /* asked for from anywhere */
#define DEVICE_LOGINS_PER_SOURCE_MAX  60
#define DEVICE_UNKNOWN_PER_SOURCE_MAX 60 /* polls with a device code that is not known */
#define DEVICE_GUESSES_MAX            10 /* wrong user codes of one session */
#define DEVICE_GUESSES_PER_SOURCE_MAX 50

/* A poll may be that much early: networks are no clocks. */
#define DEVICE_POLL_SLACK_MS 500

struct device_guard;

struct device_guard *device_guard_new(void);
void device_guard_free(struct device_guard *g); /* NULL is ignored */

/* These give 0 if it may go on, else the seconds to wait; then nothing was counted. */
unsigned device_guard_ask(struct device_guard *g, const struct addr *source, uint64_t now_ms);
unsigned device_guard_begin_poll(struct device_guard *g, struct str code_hash,
				 const struct addr *source, uint64_t now_ms);
unsigned device_guard_begin_guess(struct device_guard *g, struct str session_id,
				  const struct addr *source, uint64_t now_ms);

/* What was begun was good: the code is known. */
void device_guard_poll_is_known(struct device_guard *g, const struct addr *source);
void device_guard_guess_is_right(struct device_guard *g, struct str session_id,
				 const struct addr *source);
