#pragma once

/*
 * admission.h - how many connections and handshakes there may be at once, in the whole gateway
 *
 * What becomes of who is over a limit is for the caller: connections are closed, handshakes wait (handshake.h).
 *
 * Threads    Any. The counts are atomic, without order among them.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ADMISSION_REPORT_INTERVAL_MS 5000

struct admission_count {
	atomic_uint_fast64_t inside;
	atomic_uint_fast64_t refused; /* ever */
	atomic_uint_fast64_t unreported;
	atomic_uint_fast64_t next_report_ms;
};

struct admission {
	struct admission_count connections; /* of clients, tunnels as well */
	struct admission_count handshakes;
	atomic_uint_fast64_t
		tunnels; /* open ones, and those that are being connected; see upstream_hold.h */
};

/* False: there are limit already. The second counts that as a refusal. */
bool admission_try(struct admission_count *c, uint64_t limit);
bool admission_enter(struct admission_count *c, uint64_t limit);

void admission_leave(struct admission_count *c);

void admission_note_refused(struct admission_count *c);

/* After a refusal: how many there were since somebody was told; 0: it is not time yet to tell again. */
uint64_t admission_take_refused(struct admission_count *c, uint64_t now_ms);
