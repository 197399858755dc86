#pragma once

/*
 * ws_out.h - frames of a WebSocket on their way to the lower stream
 *
 * A message is one frame. What the lower stream does not take of it at once is kept until it does, and nothing gets into its
 * middle: whoever writes flushes first.
 *
 * Ownership  The lower stream is borrowed.
 * Errors     STREAM_FAILED: the lower stream has.
 * Limits     WS_OUT_WRITE_MAX bytes are taken by one write. Control frames come behind what is kept, each as often as the
 *            caller says.
 */

#include "base/buf.h"
#include "http/ws_frame.h"
#include "io/loop.h"
#include "io/stream.h"

#define WS_OUT_WRITE_MAX (LOOP_BLOCK_SIZE - WS_HEADER_MAX)

struct ws_out {
	struct stream *lower;
	bool masks;        /* a client's */
	struct buf unsent; /* frames, and the head before them; empty once all has left */
	size_t unsent_at; /* what of it has left: moved up it would be as often as a slow peer wants */
};

void ws_out_done(struct ws_out *o);

bool ws_out_is_empty(const struct ws_out *o);

/* Behind what is unsent. */
void ws_out_append_control(struct ws_out *o, enum ws_opcode opcode, const void *payload,
			   size_t len);

/* STREAM_END when nothing is left. */
int ws_out_flush(struct ws_out *o);

/* One message, when nothing is unsent: accepted as soon as the first byte of its frame is. */
ssize_t ws_out_write(struct ws_out *o, struct loop *loop, const struct iovec *iov, int count);
