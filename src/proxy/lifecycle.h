#pragma once

/*
 * lifecycle.h - how the gateway begins and ends: from whom it has its sockets, whom it tells that it serves, who comes after it
 *
 * Ownership  Part of the control.
 * Threads    lifecycle_find() before other threads begin; the rest on the control's loop.
 */

#include <stdint.h>

#include "base/err.h"
#include "proxy/given_sockets.h"
#include "proxy/predecessor.h"

struct control;
struct service_manager;
struct shutdown;
struct upgrade;

struct lifecycle {
	int64_t started_unix;
	struct shutdown *shutdown;
	struct upgrade *upgrade;
	struct service_manager *service_manager;
	struct predecessor predecessor;
	struct given_sockets *given; /* NULL: none, or the start is over */
	unsigned activated; /* 1 << enum socket_purpose: the service manager's sockets serve */
};

/* What the environment says of it. */
int lifecycle_find(struct lifecycle *life, struct err *e);

/* When the control has started. argv: how we were started; borrowed. */
void lifecycle_open(struct control *control, const char *const *argv);

/*
 * While starting: a socket that was given for that purpose, or -1. Warns if it is not bound where the setting says, and
 * serves all the same.
 */
int lifecycle_take_socket(struct control *control, enum socket_purpose purpose,
			  const struct addr *wanted);

/* The service manager's socket serves instead of what is configured. */
void lifecycle_note_activated(struct control *control, enum socket_purpose purpose,
			      const struct addr *bound, const struct addr *wanted);

/* Everything serves: whoever waits for that is told. -1: there is still something in our way. */
int lifecycle_started(struct control *control, struct err *e);

/* It does not come to that. */
void lifecycle_failed(struct lifecycle *life, const char *why);

/* When nothing comes from the workers any more. */
void lifecycle_close(struct lifecycle *life);
