#pragma once

/*
 * counters.h - what a worker counts, for the metrics (extensions.md 5, 6)
 *
 * Words that are not in the tables are counted as "internal", so that the number of series is fixed.
 *
 * Ownership  Part of the worker.
 * Threads    Written by the worker alone; read by any.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;
struct tls_facts;

#define COUNTERS_WORDS_MAX 24

/* NULL-terminated; the last word is "internal". */
extern const char *const counters_refusal_words[];
extern const char *const counters_end_words[];
extern const char *const counters_tls_versions[];

/* Upper bounds in microseconds; a last bucket has the rest. */
#define COUNTERS_CONNECT_BUCKETS 12
extern const uint64_t counters_connect_bounds_us[COUNTERS_CONNECT_BUCKETS];

struct counters {
	atomic_uint_fast64_t refusals[COUNTERS_WORDS_MAX];
	atomic_uint_fast64_t ends[COUNTERS_WORDS_MAX];
	atomic_uint_fast64_t handshakes[2][COUNTERS_WORDS_MAX]; /* [is resumed][version] */
	atomic_uint_fast64_t handshake_failures;
	atomic_uint_fast64_t connects[COUNTERS_CONNECT_BUCKETS + 1];
	atomic_uint_fast64_t connect_us;
};

static inline uint64_t counter_read(const atomic_uint_fast64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* Without a bus lock: there is one writer. */
static inline void counter_add(atomic_uint_fast64_t *c, uint64_t n)
{
	atomic_store_explicit(c, counter_read(c) + n, memory_order_relaxed);
}

void counters_refusal(struct counters *c, const char *reason);
void counters_tunnel_end(struct counters *c, const char *end_reason);
void counters_handshake(struct counters *c, const struct tls_facts *facts);
void counters_connect(struct counters *c, uint64_t took_us);
