#pragma once

/*
 * upgrade_start.h - how the new process of an upgrade is started; for upgrade.c
 *
 * Its descriptors: 3 is where it says how it fares, then come the sockets. Its environment is ours, without what the
 * service manager has said to this process alone.
 */

#include "base/err.h"
#include "io/child.h"

#define UPGRADE_TELL_FD      3
#define UPGRADE_FIRST_SOCKET 4

struct given_sockets;

/* options: all but environment and descriptors. ret_hear_fd: where its words arrive; the caller's. */
struct child *upgrade_start(struct loop *loop, const struct child_options *options,
			    const struct given_sockets *sockets, int *ret_hear_fd, struct err *e);
