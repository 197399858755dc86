#pragma once

/*
 * forward_stream.h - a program's connection to its proxy, of which one request is read and no more
 *
 * Reading gives the head as it was written for the server, then the body as it comes, then nothing but the program's end. Another
 * request on the same connection, which may be for another server, is taken for the end. Writing is the lower stream's.
 *
 * Ownership  Takes the lower stream, from which the program's head was read already, and the request's head.
 * Threads    One loop.
 * Errors     Those of the lower stream; ERR_PROTOCOL for framing that is broken; ERR_CLOSED for a body that was cut off.
 */

#include "io/stream.h"

struct forward_request;
struct loop;

struct stream *forward_stream_open(struct loop *loop, struct stream *lower,
				   struct forward_request *request);
