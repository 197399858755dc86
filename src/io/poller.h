#pragma once

/*
 * poller.h - the system's edge-triggered readiness interface, for loop.c only
 *
 * One implementation per system, chosen by the build (poller_epoll.c). The poller has a descriptor of its own that
 * is readable while there is something to dispatch, so that libuv can wait for it.
 */

#include "base/err.h"

struct watch;

struct poller {
	int fd;
};

int poller_open(struct poller *p, struct err *e);
void poller_close(struct poller *p);

/* errno is left as well: EPERM means that this kind of descriptor is always ready. */
int poller_add(struct poller *p, struct watch *watch, struct err *e);
void poller_remove(struct poller *p, struct watch *watch);

/* Reports what is ready now, without waiting. Watches closed on the way are skipped. */
void poller_dispatch(struct poller *p);
