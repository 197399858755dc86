#pragma once

/*
 * stream_mem.h - a pair of connected streams in memory that misbehaves on request
 */

#include <stdbool.h>
#include <stddef.h>

#include "io/stream.h"

struct loop;

struct stream_mem_options {
	size_t capacity;         /* bytes each direction holds before write says AGAIN; 0: 65536 */
	size_t read_max;         /* most bytes one read delivers; 0: no limit */
	size_t write_max;        /* most bytes one write accepts; 0: no limit */
	unsigned shutdown_waits; /* how many times shutdown says AGAIN before it is done */
};

void stream_mem_pair(struct loop *loop, const struct stream_mem_options *options,
		     struct stream **ret_a, struct stream **ret_b);

/* From now on reads and writes of this end fail with that reason. */
void stream_mem_fail(struct stream *s, enum err_kind kind, const char *text);

/* Bytes written by the other end and not yet read by this one. */
size_t stream_mem_pending(const struct stream *s);

/* How the other end was closed, once it was: tells a reset from an orderly end. */
bool stream_mem_peer_was_reset(const struct stream *s);
