#pragma once

/*
 * log_sink.h - whole log lines to a file descriptor, by one thread at a time
 *
 * Private to log.c and log_queue.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* How long a full pipe or terminal is waited for before its lines are dropped. */
#define LOG_SINK_PATIENCE_MS 1000

struct log_sink {
	int fd;       /* borrowed */
	bool is_torn; /* the last line was cut in the middle: the next begins on a new line */
};

/* Writes lines, each ended by '\n'. Returns how many of them could not be written completely. No SIGPIPE. */
uint64_t log_sink_write(struct log_sink *sink, struct str lines);
