#include "http/ws_out.h"

#include <assert.h>

#include "base/random.h"
#include "http/ws_iov.h"

void ws_out_done(struct ws_out *o)
{
	buf_done(&o->unsent);
	o->unsent_at = 0;
}

bool ws_out_is_empty(const struct ws_out *o)
{
	return o->unsent.len == 0;
}

static size_t begin_frame(const struct ws_out *o, uint8_t *header, enum ws_opcode opcode,
			  size_t len, uint8_t mask[WS_MASK_LEN])
{
	if (o->masks)
		random_bytes(mask, WS_MASK_LEN);
	return ws_frame_write_header(header, opcode, len, o->masks ? mask : NULL);
}

void ws_out_append_control(struct ws_out *o, enum ws_opcode opcode, const void *payload, size_t len)
{
	uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX];
	uint8_t mask[WS_MASK_LEN] = { 0 };
	size_t at = begin_frame(o, frame, opcode, len, mask);

	if (len > 0)
		ws_mask(frame + at, payload, len, mask, 0);
	o->unsent.max = o->unsent.len + at + len;
	(void)buf_append(&o->unsent, frame, at + len); /* fits */
}

int ws_out_flush(struct ws_out *o)
{
	while (o->unsent_at < o->unsent.len) {
		ssize_t count = stream_write(o->lower, o->unsent.data + o->unsent_at,
					     o->unsent.len - o->unsent_at);

		if (count < 0)
			return (int)count;
		o->unsent_at += (size_t)count;
	}
	ws_out_done(o);
	return STREAM_END;
}

/* A whole frame. */
static ssize_t write_frame(struct ws_out *o, const struct iovec *iov, int count, size_t len)
{
	ssize_t taken = stream_writev(o->lower, iov, count);

	if (taken < 0)
		return taken;
	o->unsent.max = WS_HEADER_MAX + WS_OUT_WRITE_MAX;
	ws_iov_keep(&o->unsent, iov, count, (size_t)taken);
	return ws_out_flush(o) == STREAM_FAILED ? STREAM_FAILED : (ssize_t)len;
}

static ssize_t write_plain(struct ws_out *o, const struct iovec *iov, int count)
{
	uint8_t header[WS_HEADER_MAX];
	struct iovec frame[1 + WS_IOV_MAX];
	size_t len = ws_iov_limit(frame + 1, iov, &count, WS_OUT_WRITE_MAX);

	if (len == 0)
		return 0;
	frame[0].iov_base = header;
	frame[0].iov_len = begin_frame(o, header, WS_BINARY, len, NULL);
	return write_frame(o, frame, 1 + count, len);
}

static ssize_t write_masked(struct ws_out *o, struct loop *loop, const struct iovec *iov, int count)
{
	struct iovec parts[WS_IOV_MAX];
	uint8_t mask[WS_MASK_LEN];
	size_t len = ws_iov_limit(parts, iov, &count, WS_OUT_WRITE_MAX);
	struct iovec frame;
	ssize_t result;
	uint8_t *block;
	size_t at;

	if (len == 0)
		return 0;
	block = loop_block_get(loop);
	at = begin_frame(o, block, WS_BINARY, len, mask);
	frame = (struct iovec){ .iov_base = block, .iov_len = at + len };
	for (size_t i = 0, done = 0; i < (size_t)count; done += parts[i++].iov_len)
		ws_mask(block + at + done, parts[i].iov_base, parts[i].iov_len, mask, done);
	result = write_frame(o, &frame, 1, len);
	loop_block_put(loop, block);
	return result;
}

ssize_t ws_out_write(struct ws_out *o, struct loop *loop, const struct iovec *iov, int count)
{
	assert(ws_out_is_empty(o));
	return o->masks ? write_masked(o, loop, iov, count) : write_plain(o, iov, count);
}
