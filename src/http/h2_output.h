#pragma once

/*
 * h2_output.h - frames on their way to the lower stream, many in one write; for h2_*.c only
 *
 * A batch is a list of parts: frames that were copied into a block, and bytes that are passed on from where they lie, in
 * memory of whoever writes at this moment (h2_stream.c). What the lower stream does not take moves to session->unsent.
 *
 * Limits     H2_BATCH_MAX bytes in one write, and one more frame of control; so much can be unsent.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Records of TLS that fit into a block of the loop with all that belongs to them. */
#define H2_BATCH_MAX (15u * 16384)
#define H2_PARTS_MAX 64

struct h2_session;

struct h2_batch {
	uint8_t *block;
	size_t block_len;
	size_t len; /* of all parts */
	struct iovec parts[H2_PARTS_MAX];
	int part_count;
};

enum h2_output_result {
	H2_OUTPUT_EMPTY, /* nothing is left */
	H2_OUTPUT_MORE,  /* enough for this turn */
	H2_OUTPUT_BLOCKED,
	H2_OUTPUT_FAILED, /* stream_error(lower) says why */
};

/* How many bytes more there may be, 0 if there may be no more parts. */
size_t h2_batch_room(const struct h2_batch *b);

/* Within the room. */
void h2_batch_copy(struct h2_batch *b, const void *from, size_t len);
void h2_batch_lend(struct h2_batch *b, const void *at, size_t len);

/* Calls nobody: what happens is only noted. */
enum h2_output_result h2_output_write(struct h2_session *s);
