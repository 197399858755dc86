#include "http/h2_lent.h"

#include <string.h>

#include "http/h2_stream.h"

bool h2_lent_add(struct h2_lent *lent, struct h2_stream *st, const uint8_t *data, size_t len)
{
	if (lent->count == H2_LENT_MAX)
		return false;
	lent->pieces[lent->count++] =
		(struct h2_lent_piece){ .stream = st, .at = data, .len = len };
	st->lent_len += (uint32_t)len;
	return true;
}

static void drop(struct h2_lent_piece *piece, size_t len)
{
	piece->stream->lent_len -= (uint32_t)len;
	piece->at += len;
	piece->len -= len;
	if (piece->len == 0)
		piece->stream = NULL;
}

size_t h2_lent_take(struct h2_lent *lent, struct h2_stream *st, uint8_t *to, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < lent->count && st->lent_len > 0 && done < len; i++) {
		struct h2_lent_piece *piece = &lent->pieces[i];
		size_t part = piece->len < len - done ? piece->len : len - done;

		if (piece->stream != st)
			continue;
		memcpy(to + done, piece->at, part);
		done += part;
		drop(piece, part);
	}
	return done;
}

void h2_lent_forget(struct h2_lent *lent, struct h2_stream *st)
{
	for (size_t i = 0; i < lent->count && st->lent_len > 0; i++)
		if (lent->pieces[i].stream == st)
			drop(&lent->pieces[i], lent->pieces[i].len);
}

void h2_lent_return(struct h2_lent *lent, struct h2_stream *st)
{
	for (size_t i = 0; i < lent->count && st->lent_len > 0; i++) {
		struct h2_lent_piece *piece = &lent->pieces[i];

		if (piece->stream != st)
			continue;
		h2_stream_keep(st, piece->at, piece->len);
		drop(piece, piece->len);
	}
}

void h2_lent_return_all(struct h2_lent *lent)
{
	for (size_t i = 0; i < lent->count; i++)
		if (lent->pieces[i].stream)
			h2_lent_return(lent, lent->pieces[i].stream);
}
