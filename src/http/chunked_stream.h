#pragma once

/*
 * chunked_stream.h - a stream over a stream, one direction of which is the body of an HTTP/1.1 response
 *
 * A UDP tunnel over HTTP/1.1 is a request whose answer has a body: capsules go unframed from client to server, and framed
 * the other way (protocol.md 1.10.2). Who holds this stream reads and writes capsules and sees no framing.
 *
 * Ownership  Takes the lower stream.
 * Threads    One loop.
 * Errors     Those of the lower stream; ERR_PROTOCOL for framing that is broken; ERR_CLOSED for a body that was cut off.
 * Limits     CHUNKED_WRITE_MAX bytes are taken by one write.
 */

#include "base/buf.h"
#include "http/h1_parse.h"
#include "io/stream.h"

#define CHUNKED_WRITE_MAX (256u * 1024)

struct loop;

/* The server's end: what is written becomes chunks; what is read is as it came. head: sent first, as it is; moved. */
struct stream *chunked_stream_server(struct loop *loop, struct stream *lower, struct buf *head);

/*
 * The client's end: what is read is the body, framed as the head of the answer says; what is written goes out as it is. early:
 * what of the body came with the head; moved.
 */
struct stream *chunked_stream_client(struct loop *loop, struct stream *lower,
				     const struct h1_body *body, struct buf *early);
