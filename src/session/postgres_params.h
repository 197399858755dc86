#pragma once

/*
 * postgres_params.h - values on their way to and from PostgreSQL, in its binary format
 *
 * Private to session/. Numbers are int8, bytes are bytea. Bytes are borrowed and have to live until the query is over.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* PGresult of libpq. */
struct pg_result;

#define POSTGRES_PARAMS_MAX 10

/* Zeroed: none. */
struct postgres_params {
	int count;
	const char *values[POSTGRES_PARAMS_MAX];
	int lengths[POSTGRES_PARAMS_MAX];
	int formats[POSTGRES_PARAMS_MAX];
	uint64_t numbers
		[POSTGRES_PARAMS_MAX]; /* what values points to, in the order of the network */
};

void postgres_params_number(struct postgres_params *p, int64_t number);

/* Also for text, whose binary format is its bytes, and for what postgres_array_...() has written. */
void postgres_params_bytes(struct postgres_params *p, struct str bytes);

/*
 * Oids of a signature: n for a number, b for bytes, t for text, N and B for arrays. Returns how many.
 */
int postgres_types(const char *signature, unsigned types[POSTGRES_PARAMS_MAX]);

/* An array of count elements of one letter of a signature: the head, then each element. */
void postgres_array_head(struct buf *out, char element, size_t count);
void postgres_array_number(struct buf *out, int64_t number);
void postgres_array_bytes(struct buf *out, struct str bytes);

/* Of a binary result; 0 and "" for NULL or another type. */
int64_t postgres_number(const struct pg_result *result, int row, int column);
struct str postgres_bytes(const struct pg_result *result, int row, int column, struct arena *arena);

void postgres_result_free(struct pg_result *result);
DEFINE_CLEANUP(struct pg_result, postgres_result_free)
