#pragma once

/*
 * arena.h - memory that dies together
 *
 * Bump allocation, released at once. No destructors: what needs closing does not belong here.
 * A zeroed arena is empty and owns nothing, so an unused one costs nothing. What was in it is wiped at the end:
 * passwords and tokens are taken apart in arenas.
 */

#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
};

/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;
void *arena_alloc_array(struct arena *a, size_t count, size_t size) MUST_CHECK;

/* A copy that is also NUL-terminated. */
struct str arena_copy(struct arena *a, struct str s) MUST_CHECK;
const char *arena_copy_string(struct arena *a, struct str s) MUST_CHECK;
struct str arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

void arena_done(struct arena *a);
