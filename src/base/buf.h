#pragma once

/*
 * buf.h - growable bytes with a hard maximum
 *
 * The maximum is given at birth. An append that would exceed it changes nothing, returns -1 and
 * sets is_overflown, which stays set: a writer may append many pieces and look once at the end.
 *
 * Ownership  The caller owns the storage of the struct; buf_done() releases the bytes and leaves an
 *            empty buffer that can be used again. A zeroed buf is empty with maximum 0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
	bool is_overflown;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);

/* Like buf_done(), wiping the bytes first. */
void buf_done_secret(struct buf *b);

int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_str(struct buf *b, struct str s);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for at least len more bytes behind the contents, or NULL beyond the maximum. Announce what
 * was written there with buf_commit(). */
uint8_t *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Drops len bytes from the front / everything but the first len bytes. */
void buf_consume(struct buf *b, size_t len);
void buf_truncate(struct buf *b, size_t len);

/* The contents, valid until the next change. */
static inline struct str buf_view(const struct buf *b)
{
	return (struct str){ .at = (const char *)b->data, .len = b->len };
}

/* Hands the contents over as a NUL-terminated string and empties the buffer. Release with
 * mem_free(). */
char *buf_take_string(struct buf *b) MUST_CHECK;

/* Moves contents and maximum from one buffer to another, leaving the source empty. */
void buf_move(struct buf *to, struct buf *from);
