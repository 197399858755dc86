#pragma once

/*
 * child.h - another program, started with descriptors of ours
 *
 * Its standard streams are ours; the descriptors that are named follow from 3 on, and no others go over. Signals are as
 * a program expects them at its start.
 *
 * Ownership  The caller closes it. A child that is closed runs on.
 * Threads    That of the loop; on_exit is called from the loop, once, unless it was closed before.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define CHILD_FDS_MAX 512

struct child;
struct loop;

struct child_options {
	/* Both NULL-terminated. argv[0] is looked for in PATH if it has no slash. */
	const char *const *argv;
	const char *const *env;
	const int *fds;
	size_t fd_count;
	/* signal: 0 if it has ended by itself. */
	void (*on_exit)(void *arg, int64_t status, int signal);
	void *arg;
};

struct child *child_start(struct loop *loop, const struct child_options *options, struct err *e);
pid_t child_pid(const struct child *c);
void child_kill(struct child *c);
void child_close(struct child *c); /* NULL is ignored */
