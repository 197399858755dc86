#pragma once

/*
 * poll_fd.h - level-triggered readiness, for descriptors that a library owns
 *
 * libcurl reads less than there is and changes its mind about what it waits for; watch (loop.h) would not tell it
 * again. Costs a system call per change: not for the data path.
 *
 * Ownership  The descriptor stays the library's, which must not close it before poll_fd_close().
 * Threads    One loop.
 */

#include "base/err.h"

struct loop;
struct poll_fd;

/* events: WATCH_READ, WATCH_WRITE of loop.h; an error on the descriptor counts as both. */
struct poll_fd *poll_fd_open(struct loop *loop, int fd,
			     void (*on_ready)(void *arg, unsigned events), void *arg,
			     struct err *e);
void poll_fd_want(struct poll_fd *p, unsigned events);
void poll_fd_close(struct poll_fd *p); /* NULL is ignored; silence afterwards */
