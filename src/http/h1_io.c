#include "http/h1_io.h"

#include <assert.h>

#include "base/mem.h"
#include "http/h1_write.h"
#include "io/loop.h"
#include "io/stream.h"

/*
 * Reads go through a block borrowed from the loop and only what arrived is kept, so a connection
 * that waits for its next byte owns no input buffer. The bytes are wiped in the block: it is lent
 * to others, and heads carry credentials.
 */

void h1_input_init(struct h1_input *in)
{
	*in = (struct h1_input){
		.received = BUF_INIT(HTTP_HEAD_MAX + H1_READ_PIECE),
		.head = BUF_INIT(HTTP_HEAD_MAX),
	};
}

void h1_input_next(struct h1_input *in)
{
	arena_done(&in->arena);
	buf_done_secret(&in->head);
	in->scanner = (struct h1_scanner){ 0 };
	if (in->received.len == 0)
		buf_done_secret(&in->received);
}

void h1_input_done(struct h1_input *in)
{
	buf_truncate(&in->received, 0);
	h1_input_next(in);
}

ssize_t h1_input_fill(struct h1_input *in, struct loop *loop, struct stream *stream, size_t max)
{
	size_t piece = max < H1_READ_PIECE ? max : H1_READ_PIECE;
	void *block = loop_block_get(loop);
	ssize_t got = stream_read(stream, block, piece);

	if (got > 0) {
		int failure = buf_append(&in->received, block, (size_t)got);

		assert(failure == 0); /* who reads on has looked at the limits before */
		mem_wipe(block, (size_t)got);
	}
	loop_block_put(loop, block);
	return got;
}

enum h1_scan h1_input_scan(struct h1_input *in, struct err *e)
{
	size_t head_len = 0;
	enum h1_scan verdict = h1_scan(&in->scanner, buf_view(&in->received), &head_len, e);
	int failure;

	if (verdict != H1_SCAN_COMPLETE)
		return verdict;
	failure = buf_append(&in->head, in->received.data, head_len);
	assert(failure == 0); /* the scanner's limit is the buffer's */
	buf_consume(&in->received, head_len);
	return verdict;
}

int h1_input_decode(struct h1_input *in, struct h1_body *decoder, struct buf *body, struct err *e)
{
	size_t consumed;

	if (h1_body_decode(decoder, buf_view(&in->received), &consumed, body, e))
		return -1;
	buf_consume(&in->received, consumed);
	return 0;
}

void h1_output_init(struct h1_output *out)
{
	*out = (struct h1_output){ .bytes = BUF_INIT(H1_MESSAGE_MAX) };
}

void h1_output_done(struct h1_output *out)
{
	buf_done_secret(&out->bytes);
	out->sent = 0;
}

int h1_output_flush(struct h1_output *out, struct stream *stream)
{
	while (out->sent < out->bytes.len) {
		ssize_t count = stream_write(stream, out->bytes.data + out->sent,
					     out->bytes.len - out->sent);

		if (count <= 0)
			return (int)count;
		out->sent += (size_t)count;
	}
	h1_output_done(out);
	return STREAM_END;
}
