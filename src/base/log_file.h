#pragma once

/*
 * log_file.h - lines appended to a file that must not get lost
 *
 * A thread of its own writes; what cannot be written (a full disk, a directory that is gone, a pipe whose reader has stopped) is kept and tried again every
 * LOG_FILE_RETRY_MS. Whoever makes lines asks log_file_is_full() first and stops doing what would make more: there is
 * room behind the mark for the lines of what is under way. Only beyond LOG_FILE_QUEUE_MAX a line is dropped, and counted.
 *
 * Ownership  Exists once, whether or not there is a file: log_file_use() may be called at any time.
 * Threads    Any, but log_file_use() and log_file_free() from one. on_problem runs on the writer's thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define LOG_FILE_QUEUE_MAX  (8u << 20)
#define LOG_FILE_MARK       (1u << 20)
#define LOG_FILE_RETRY_MS   1000
#define LOG_FILE_PROBLEM_MS 60000

struct log_file;

/* on_problem: writing fails, told at most once per LOG_FILE_PROBLEM_MS; e NULL: it works again. */
struct log_file *log_file_new(void (*on_problem)(void *arg, const struct err *e), void *arg,
			      struct err *e);

/* A descriptor to append to, created with mode 0600 if it is not there; -1 if it cannot be opened. */
int log_file_open(const char *path, struct err *e);

/* From now on lines go there. -1: nowhere. Takes the descriptor. What was appended before goes to the file before. */
void log_file_use(struct log_file *f, int fd);

/* A whole line with its '\n'. Ignored if there is no file. */
void log_file_append(struct log_file *f, struct str line);

bool log_file_has_file(const struct log_file *f);

/* So much waits to be written that no more should be begun. */
bool log_file_is_full(const struct log_file *f);

uint64_t log_file_dropped(const struct log_file *f);

/* Writes what can be written, once. NULL is ignored. */
void log_file_free(struct log_file *f);
