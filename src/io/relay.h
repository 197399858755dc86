#pragma once

/*
 * relay.h - two streams, bytes both ways
 *
 * Per direction OPEN -> DRAINING (end read, bytes left) -> SHUT (shutdown passed on and flushed); finished when
 * both directions are SHUT. A failure of either stream ends both, and the other peer sees a reset. A direction
 * borrows a block from the loop only while it moves bytes; what a slow receiver leaves is kept in a
 * piece of memory of just that size (at most LOOP_BLOCK_SIZE). An idle relay owns no buffer.
 *
 * Ownership  Takes both streams and the prefixes, and closes the streams in every case.
 * Threads    One loop.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/stream.h"

/* After one direction has ended, the other may be silent this long before the relay gives up. */
#define RELAY_HALF_OPEN_IDLE_MS (60u * 60 * 1000)

struct loop;
struct relay;

enum relay_end {
	RELAY_A_CLOSED, /* both directions ended in order; a was the first to end */
	RELAY_B_CLOSED,
	RELAY_A_FAILED, /* reset, cut, protocol error: see error */
	RELAY_B_FAILED,
	RELAY_IDLE, /* no bytes in either direction for idle_timeout_ms, or half open and silent too long */
};

struct relay_result {
	enum relay_end end;
	uint64_t bytes_from_a;
	uint64_t bytes_from_b;
	const struct err *error; /* NULL unless *_FAILED */
};

struct relay_options {
	struct stream *a;
	struct stream *b;
	struct buf
		prefix_to_b; /* bytes already received from a, delivered first; counted as from a */
	struct buf prefix_to_a;   /* sent to a first; not counted */
	uint64_t idle_timeout_ms; /* 0: none */
	/*
	 * For a peer b that takes a half-close for the end of everything: the end of a is kept back, and the relay ends
	 * when b ends or has been silent for linger_ms after the end of a. 0: half-close is passed on.
	 */
	uint64_t linger_ms;
	/* Once, later, after both streams were closed. */
	void (*on_done)(void *arg, const struct relay_result *result);
	void *arg;
};

struct relay *relay_start(struct loop *loop, struct relay_options *options);

/* The byte counts so far. */
void relay_counts(const struct relay *r, struct relay_result *ret);

/* Which it was given as a, for what its own protocol has to say before relay_close(). NULL when it is closed. */
struct stream *relay_stream_a(const struct relay *r);

/* Ends it now: both peers see how. on_done will not run. Returns the byte counts so far. NULL is ignored. */
void relay_close(struct relay *r, enum stream_close how, struct relay_result *ret_counts);
