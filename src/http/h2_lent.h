#pragma once

/*
 * h2_lent.h - bytes of DATA that stay in the block they were received in until their readers have been told; for h2_*.c only
 *
 * A reader that keeps up takes them from there, so they are copied once and nothing is allocated for them. What is left when all
 * have been told moves to the stream (h2_stream_keep()).
 *
 * Ownership  Borrows the block and the streams, for one round of reading.
 * Limits     H2_LENT_MAX pieces; what comes beyond that is kept by its stream at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_LENT_MAX 64

struct h2_stream;

struct h2_lent_piece {
	struct h2_stream *stream; /* NULL: taken */
	const uint8_t *at;
	size_t len;
};

struct h2_lent {
	struct h2_lent_piece pieces[H2_LENT_MAX];
	size_t count;
};

/* False: there is no place for it. Counted in st->lent_len, as all that follows. */
bool h2_lent_add(struct h2_lent *lent, struct h2_stream *st, const uint8_t *data, size_t len);

/* The first bytes of that stream; returns how many. */
size_t h2_lent_take(struct h2_lent *lent, struct h2_stream *st, uint8_t *to, size_t len);

/* Nobody reads what is there for that stream any more. */
void h2_lent_forget(struct h2_lent *lent, struct h2_stream *st);

/* The streams keep what is theirs: of one stream, of all. */
void h2_lent_return(struct h2_lent *lent, struct h2_stream *st);
void h2_lent_return_all(struct h2_lent *lent);
