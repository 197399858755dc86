#pragma once

/*
 * log_queue.h - a thread that writes log lines, so that the others need not wait for the disk
 *
 * Private to log.c.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct log_queue;

/* Formats the line that reports dropped lines into out, which has room for it. Runs on the writer
 * thread. */
typedef void log_queue_report(void *arg, uint64_t count, struct buf *out);

/* fd is borrowed. NULL if there is no thread to be had. */
struct log_queue *log_queue_new(int fd, log_queue_report *report, void *arg);

/* Writes what is queued and ends the thread. NULL is ignored. */
void log_queue_free(struct log_queue *q);

/* A whole line with its '\n'; dropped if the queue is full. Any thread; never blocks on I/O. */
void log_queue_append(struct log_queue *q, struct str line);

uint64_t log_queue_dropped(struct log_queue *q);
