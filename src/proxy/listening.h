#pragma once

/*
 * listening.h - the sockets of the main address: one per worker, bound before any of them is used
 *
 * The control thread opens them, or gets them from somebody else; each worker adopts one (worker.h).
 *
 * Ownership  A listening owns its descriptors until listening_take() gives one away.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "config/config.h"

struct given_sockets;

struct listening {
	int fds[CONFIG_WORKERS_MAX]; /* -1: given away, or there is none */
	size_t count;
	struct addr address; /* with the port that the kernel chose */
	bool is_activated;   /* there is one, of the service manager: the first worker's */
};

/*
 * Binds and listens count times. own: an address of ours that is in use meanwhile and may overlap with the new one, or NULL. A port that
 * belongs to another process is an error, even where the kernel would share it.
 */
int listening_open(struct listening *l, const struct addr *address, size_t count,
		   const struct addr *own, struct err *e);

/*
 * The same with what was given: the socket of the service manager, whatever its address; else those of the process before
 * as far as their address is still wanted, and as many more as are missing.
 */
int listening_open_given(struct listening *l, struct given_sockets *given,
			 const struct addr *address, size_t count, struct err *e);

/* The socket of one worker, which owns it from now on. */
int listening_take(struct listening *l, size_t index);

/* Closes what was not taken; a zeroed one is empty. */
void listening_done(struct listening *l);
