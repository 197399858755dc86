#pragma once

/*
 * str.h - a borrowed view of bytes, passed by value
 *
 * A view lives as long as what it points into. It is not NUL-terminated. An empty view may have a
 * NULL pointer. Print with printf("%.*s", STR_FMT(s)).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct str {
	const char *at;
	size_t len;
};

#define STR(literal) ((struct str){ .at = (literal), .len = sizeof(literal) - 1 })
#define STR_FMT(s)   (int)(s).len, ((s).at ? (s).at : "")

/* A view of a NUL-terminated string; NULL gives an empty view. */
static inline struct str str_from(const char *s)
{
	return (struct str){ .at = s, .len = s ? strlen(s) : 0 };
}

static inline struct str str_of(const void *at, size_t len)
{
	return (struct str){ .at = at, .len = len };
}

static inline bool str_is_empty(struct str s)
{
	return s.len == 0;
}

bool str_equal(struct str a, struct str b);

/* ASCII letters compare without regard to case; other bytes as they are. */
bool str_equal_nocase(struct str a, struct str b);

bool str_starts_with(struct str s, struct str prefix);
bool str_starts_with_nocase(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);
bool str_contains(struct str s, struct str part);

/* Byte order; a prefix sorts first. Returns <0, 0 or >0. */
int str_compare(struct str a, struct str b);

/* Position of the first / last c, or s.len. */
size_t str_find(struct str s, char c);
size_t str_find_last(struct str s, char c);

/* The part from position at (clamped) to the end; and the first len bytes (clamped). */
struct str str_from_pos(struct str s, size_t at);
struct str str_first(struct str s, size_t len);

/*
 * Splits at the first separator: *ret_head gets what is before it, *rest what is after. Without a
 * separator the head is everything and the rest becomes empty. Returns false when *rest was
 * exhausted (at == NULL) before the call, so that "while (str_cut(&rest, ',', &item))" visits every
 * item once, empty items included.
 */
bool str_cut(struct str *rest, char separator, struct str *ret_head);

/* Without leading and trailing space, tab, CR and LF. */
struct str str_trim(struct str s);

/* A NUL-terminated copy; release with mem_free(). */
char *str_copy(struct str s) MUST_CHECK;

/* A NUL-terminated copy with ASCII letters in lower case; release with mem_free(). */
char *str_copy_lower(struct str s) MUST_CHECK;

/* ASCII letters in lower case, to s.len bytes at to; not NUL-terminated. */
void str_lower(struct str s, char *to);

/* Decimal digits only, no sign, no blanks, no overflow, no empty text; leading zeros are accepted.
 */
bool str_to_uint64(struct str s, uint64_t *ret_value);

/* Printable ASCII and no NUL byte inside: safe to hand to C string functions and to logs. */
bool str_is_printable_ascii(struct str s);
