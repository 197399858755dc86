#pragma once

/*
 * h1_io.h - what both ends of HTTP/1.1 share between a stream and the pure parsers; for this
 * module only
 */

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/h1_parse.h"

/* Most bytes one read takes, and so most that can lie behind a head when it is found. */
#define H1_READ_PIECE (16u * 1024)

struct loop;
struct stream;

/* Received bytes. A complete head is moved to a place of its own: views into it stay valid. */
struct h1_input {
	struct buf received;
	struct buf head;
	struct h1_scanner scanner;
	struct arena arena;
};

void h1_input_init(struct h1_input *in);

/* Forgets the head and what was parsed from it. Received bytes stay; empty memory does not. */
void h1_input_next(struct h1_input *in);

/* Releases everything, wiped: heads carry credentials. */
void h1_input_done(struct h1_input *in);

/* Appends one piece of at most max bytes. Returns what stream_read() said. */
ssize_t h1_input_fill(struct h1_input *in, struct loop *loop, struct stream *stream, size_t max);

/* h1_scan() over the received bytes; once complete, the head is in in->head. */
enum h1_scan h1_input_scan(struct h1_input *in, struct err *e);

/* Takes body bytes off the received ones. */
int h1_input_decode(struct h1_input *in, struct h1_body *decoder, struct buf *body, struct err *e);

struct h1_output {
	struct buf bytes;
	size_t sent;
};

void h1_output_init(struct h1_output *out);
void h1_output_done(struct h1_output *out);

/* STREAM_END once everything is written (and released), else STREAM_AGAIN or STREAM_FAILED. */
int h1_output_flush(struct h1_output *out, struct stream *stream);
