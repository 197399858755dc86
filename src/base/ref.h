#pragma once

/*
 * ref.h - reference count for objects shared between threads
 *
 * Such an object is immutable after creation. Start with REF_INIT (one reference).
 */

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
	atomic_uint count;
};

#define REF_INIT ((struct ref){ .count = 1 })

static inline void ref_get(struct ref *r)
{
	atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* True when the last reference is gone and the caller must release the object. */
static inline bool ref_put(struct ref *r)
{
	return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

/* Nobody else has one: whoever asks owns the object alone, and stays alone. */
static inline bool ref_is_last(const struct ref *r)
{
	return atomic_load_explicit(&r->count, memory_order_acquire) == 1;
}
