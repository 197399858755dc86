#pragma once

/*
 * compiler.h - attributes and the few macros this project allows itself
 */

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Runs fn(&variable) when the variable goes out of scope. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Moves ownership out of a pointer variable: yields its value and leaves NULL behind. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(&(p)) take_from_ = &(p);                                                \
		__typeof__(p) take_value_ = *take_from_;                                           \
		*take_from_ = NULL;                                                                \
		take_value_;                                                                       \
	})

/* Defines fn##p(), the cleanup function for a pointer that fn() releases. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##p(type **p)                                                         \
	{                                                                                          \
		fn(*p);                                                                            \
		*p = NULL;                                                                         \
	}

#define PRINTF_LIKE(text_at, first_at) __attribute__((format(printf, text_at, first_at)))
#define MUST_CHECK                     __attribute__((warn_unused_result))
#define NORETURN                       __attribute__((noreturn))
