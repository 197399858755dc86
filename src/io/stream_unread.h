#pragma once

/*
 * stream_unread.h - a stream that gives bytes which were read from it already once more
 *
 * For who has to look at the first bytes to know whose they are.
 *
 * Ownership  Takes the lower stream and the bytes, and empties the buffer.
 */

#include "base/buf.h"
#include "io/stream.h"

struct loop;

struct stream *stream_unread_open(struct loop *loop, struct stream *lower, struct buf *bytes);
