#pragma once

/*
 * predecessor.h - the process whose place we take (upgrade.h), seen from the new one
 *
 * It has started us with its sockets and waits to be told how we fare: that we serve, after which it accepts nobody any
 * more; or why we cannot, after which it goes on as before. Our end without a word is a "no" as well.
 *
 * Ownership  Part of the server.
 * Threads    Found before other threads begin; afterwards that of the control's loop.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct given_sockets;

/* In the environment of the new process: "PID DESCRIPTOR LIST", see given_sockets_write(). It is removed once it is read. */
#define PREDECESSOR_VARIABLE "POMERIUM_UPGRADE"

/* First word of what it is told; then numbers of sockets that are not wanted / the reason. Then the end of the line. */
#define PREDECESSOR_READY  "ready"
#define PREDECESSOR_FAILED "failed"

struct predecessor {
	pid_t pid; /* 0: there is none */
	int tell_fd;
};

/* Adds its sockets. Without the variable there is none. */
int predecessor_find(struct predecessor *p, struct given_sockets *g, struct err *e);

/* Each closes the connection; without a predecessor nothing happens. unused: those that were not taken. */
void predecessor_tell_ready(struct predecessor *p, const struct given_sockets *unused);
void predecessor_tell_failed(struct predecessor *p, const char *why);

/* It has tunnels of its own, for which a new configuration counts as well. */
void predecessor_reload(const struct predecessor *p);
