#include "http/h2_output.h"

#include <assert.h>
#include <string.h>

#include "http/h2_session.h"

#define WRITE_ROUNDS 4

/* ---- batches ---- */

size_t h2_batch_room(const struct h2_batch *b)
{
	/* the header of a frame, what is copied, what is lent */
	if (b->part_count + 3 > H2_PARTS_MAX || b->len >= H2_BATCH_MAX)
		return 0;
	return H2_BATCH_MAX - b->len;
}

static void add_part(struct h2_batch *b, const void *at, size_t len)
{
	struct iovec *last = b->part_count > 0 ? &b->parts[b->part_count - 1] : NULL;

	b->len += len;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == at) {
		last->iov_len += len;
		return;
	}
	assert(b->part_count < H2_PARTS_MAX);
	b->parts[b->part_count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)at,
						    .iov_len = len };
}

void h2_batch_copy(struct h2_batch *b, const void *from, size_t len)
{
	uint8_t *to = b->block + b->block_len;

	assert(len <= LOOP_BLOCK_SIZE - b->block_len);
	if (len == 0)
		return;
	memcpy(to, from, len);
	b->block_len += len;
	add_part(b, to, len);
}

void h2_batch_lend(struct h2_batch *b, const void *at, size_t len)
{
	if (len > 0)
		add_part(b, at, len);
}

/* ---- collecting ---- */

/* Those of data come by themselves (h2_callbacks.c). The last one may reach beyond the batch: into unsent. */
static void collect(struct h2_session *s, struct h2_batch *b)
{
	s->transit.batch = b;
	while (h2_batch_room(b) > 0 && s->unsent.len == 0) {
		const uint8_t *frame;
		ssize_t got = nghttp2_session_mem_send(s->ng, &frame);
		size_t part = h2_batch_room(b);

		if (got <= 0)
			break; /* < 0: want of memory, or nothing that the next turn would not show */
		if ((size_t)got < part)
			part = (size_t)got;
		h2_batch_copy(b, frame, part);
		(void)buf_append(&s->unsent, frame + part, (size_t)got - part); /* it fits */
	}
	s->transit.batch = NULL;
}

/* ---- writing ---- */

static void keep_rest(struct h2_session *s, const struct iovec *parts, int count)
{
	struct buf rest = BUF_INIT(H2_UNSENT_MAX);

	/* The maximum is above all that a batch can be. */
	for (int i = 0; i < count; i++)
		(void)buf_append(&rest, parts[i].iov_base, parts[i].iov_len);
	(void)buf_append_str(&rest, buf_view(&s->unsent));
	assert(!rest.is_overflown);
	buf_done_secret(&s->unsent);
	buf_move(&s->unsent, &rest);
}

static enum h2_output_result write_unsent(struct h2_session *s)
{
	size_t done = 0;
	ssize_t count = 1;

	while (done < s->unsent.len && count > 0) {
		count = stream_write(s->lower, s->unsent.data + done, s->unsent.len - done);
		done += count > 0 ? (size_t)count : 0;
	}
	if (count == STREAM_FAILED)
		return H2_OUTPUT_FAILED;
	if (done == s->unsent.len) {
		buf_done_secret(&s->unsent);
		return H2_OUTPUT_MORE;
	}
	buf_consume(&s->unsent, done);
	return H2_OUTPUT_BLOCKED;
}

static enum h2_output_result write_parts(struct h2_session *s, struct iovec *parts, int count)
{
	while (count > 0) {
		ssize_t done = stream_writev(s->lower, parts, count);

		if (done == STREAM_FAILED)
			return H2_OUTPUT_FAILED;
		if (done == STREAM_AGAIN) {
			keep_rest(s, parts, count);
			return H2_OUTPUT_BLOCKED;
		}
		for (; count > 0 && (size_t)done >= parts->iov_len; parts++, count--)
			done -= (ssize_t)parts->iov_len;
		if (count > 0) {
			parts->iov_base = (uint8_t *)parts->iov_base + done;
			parts->iov_len -= (size_t)done;
		}
	}
	return H2_OUTPUT_MORE;
}

static enum h2_output_result write_batch(struct h2_session *s, uint8_t *block)
{
	struct h2_batch b
		__attribute__((uninitialized)); /* the parts are filled before they are read */
	enum h2_output_result result;

	b.block = block;
	b.block_len = 0;
	b.len = 0;
	b.part_count = 0;
	collect(s, &b);
	if (b.len == 0)
		return H2_OUTPUT_EMPTY;
	result = write_parts(s, b.parts, b.part_count);
	return result == H2_OUTPUT_MORE ? write_unsent(s) : result;
}

enum h2_output_result h2_output_write(struct h2_session *s)
{
	enum h2_output_result result = write_unsent(s);
	uint8_t *block;

	if (result != H2_OUTPUT_MORE)
		return result;
	block = loop_block_get(s->loop);
	for (int i = 0; i < WRITE_ROUNDS && result == H2_OUTPUT_MORE; i++)
		result = write_batch(s, block);
	loop_block_put(s->loop, block);
	return result;
}
