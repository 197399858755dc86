#pragma once

/*
 * deal.h - one listening socket for several workers: whoever accepts deals the connections out, in turn
 *
 * If every worker watched the socket of a service manager, each connection would wake them all.
 *
 * Threads    That of any worker.
 */

#include <stddef.h>

#include "base/addr.h"

struct control;

/* turn: counts up. The descriptor goes to that worker's loop. */
void deal_out(struct control *control, size_t turn, int fd, const struct addr *peer);
