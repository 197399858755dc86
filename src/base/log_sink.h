#pragma once

/*
 * log_sink.h - whole log lines to a file descriptor, by one thread at a time
 *
 * Private to log.c and log_queue.c.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Once in a hurry: how long a full pipe or terminal is waited for before the lines are dropped. */
#define LOG_SINK_PATIENCE_MS 250

struct log_sink {
	int fd;       /* borrowed */
	bool is_file; /* never full for a while, unlike a pipe */
	bool is_torn; /* the last line was cut in the middle: the next begins on a new line */
	atomic_bool is_in_a_hurry;
};

void log_sink_init(struct log_sink *sink, int fd);

/*
 * Writes lines, each ended by '\n'. Returns how many of them could not be written completely. Waits
 * for a reader that is slow, unless in a hurry. No SIGPIPE.
 */
uint64_t log_sink_write(struct log_sink *sink, struct str lines);

/* The program ends: a reader that has stopped reading must not hold it up. Any thread. */
void log_sink_hurry(struct log_sink *sink);
