#pragma once

/*
 * poller.h - the system's edge-triggered readiness interface, for loop.c only
 *
 * One implementation per system, chosen by the build (poller_epoll.c).
 */

#include <stdbool.h>

#include "base/err.h"

struct watch;

struct poller {
	int fd;
};

/* other_fd is waited for as well, for as long as the poller is open: level-triggered, and readable is all that counts. */
int poller_open(struct poller *p, int other_fd, struct err *e);
void poller_close(struct poller *p);

/* errno is left as well: EPERM means that this kind of descriptor is always ready. */
int poller_add(struct poller *p, struct watch *watch, struct err *e);
void poller_remove(struct poller *p, struct watch *watch);

/*
 * Waits until something is ready, or so long (-1: for ever); calls on_awake, and then reports what is ready. Watches closed on
 * the way are skipped. Returns whether other_fd is readable.
 */
bool poller_dispatch(struct poller *p, int wait_ms, void (*on_awake)(void *arg), void *arg);
