#pragma once

/*
 * mem.h - memory that is always there, and secrets that do not stay in it
 *
 * Exhaustion aborts the program: everything a peer can grow has a named limit instead.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Zeroed memory, never NULL. Release with mem_free(). */
void *mem_alloc(size_t size) MUST_CHECK;
void *mem_alloc_array(size_t count, size_t size) MUST_CHECK;

/* Like realloc(), never NULL; count * size is checked for overflow. New bytes are not zeroed. */
void *mem_resize(void *p, size_t count, size_t size) MUST_CHECK;

/* A copy of len bytes, followed by a NUL that is not counted. */
void *mem_copy(const void *p, size_t len) MUST_CHECK;

/* A copy of a NUL-terminated string; NULL gives NULL. */
char *mem_copy_string(const char *s) MUST_CHECK;

void mem_free(void *p);

/* Overwrites a secret in a way the compiler cannot remove. */
void mem_wipe(void *p, size_t len);

/* Wipes and frees a NUL-terminated secret. NULL is ignored. */
void mem_free_secret(char *s);

/* Compares two secrets of equal length without telling where they differ. */
bool mem_equal_secret(const void *a, const void *b, size_t len);

/* For the rest of the process and what it starts: a core file would hold keys, tokens and passwords. */
void mem_forbid_core_files(void);

static inline void mem_freep(void *pp)
{
	void **p = pp;
	mem_free(*p);
	*p = NULL;
}

static inline void mem_free_secretp(char **p)
{
	mem_free_secret(*p);
	*p = NULL;
}
