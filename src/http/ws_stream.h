#pragma once

/*
 * ws_stream.h - a stream carried in the binary messages of a WebSocket over another stream
 *
 * A close frame is the end of its direction: the other one goes on until its own. Only when both have come is the lower
 * stream shut; so half-close passes what takes the end of one direction for the end of all. A lower stream that ends without a
 * close frame has failed, and so has one that is closed with a code that says so: as a reset is, while a close can be sent.
 *
 * Ownership  Takes the lower stream.
 * Threads    One loop.
 * Errors     Those of the lower stream; ERR_PROTOCOL for frames that are broken (the peer is told the code, if it still can
 *            be); ERR_LIMIT for too many of those that cost the sender nothing; ERR_RESET for an end that is none.
 * Limits     A write as in ws_out.h. One pong waits: that of the last ping. WS_IDLE_BURST frames
 *            without data, and WS_IDLE_PER_SECOND more.
 */

#include "base/buf.h"
#include "http/ws_account.h"
#include "http/ws_frame.h"
#include "io/loop.h"
#include "io/stream.h"

/* After so long without a byte the client shows that the connection is in use: what lies between closes idle ones. */
#define WS_STREAM_PING_MS 25000

/* The server's end. head: sent first, as it is. early: what has come behind the request. Both are moved. */
struct stream *ws_stream_server(struct loop *loop, struct stream *lower, struct buf *head,
				struct buf *early);

/* The client's end: masks. early: what has come behind the answer; moved. */
struct stream *ws_stream_client(struct loop *loop, struct stream *lower, struct buf *early);

/* What the peer of a stream that is closed with STREAM_CLOSE_RESET is told; reason: static, UTF-8, WS_REASON_MAX bytes at most. */
void ws_stream_explain(struct stream *s, enum ws_close_code code, const char *reason);
