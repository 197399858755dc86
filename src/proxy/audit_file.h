#pragma once

/*
 * audit_file.h - audit_log_file: the records of tunnels alone, none of them lost (extensions.md 6)
 *
 * Opened anew at every reload, so that a file that was renamed is let go.
 *
 * Ownership  Part of the control; outlives the workers.
 */

#include "base/err.h"

struct audit_file;
struct config_logs;
struct log;
struct log_file;

/* Writes nowhere yet. Problems with writing go to the log, at most once a minute. */
struct audit_file *audit_file_new(struct log *log, struct err *e);
void audit_file_free(struct audit_file *a); /* NULL is ignored */

/* All that can fail: a descriptor, or -1 if there is to be no file. Then either commit, or close it. */
int audit_file_prepare(const struct config_logs *logs, int *ret_fd, struct err *e);
void audit_file_commit(struct audit_file *a, int fd);

/* For the workers. */
struct log *audit_file_log(const struct audit_file *a);
struct log_file *audit_file_queue(const struct audit_file *a);
