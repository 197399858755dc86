#pragma once

/*
 * health.h - health checks for whoever runs us (protocol.md 4.6): /startupz, /readyz, /healthz, /status in plain HTTP
 *
 * Ready is who can serve: not while the session store is away, nor while shutting down. Alive is who runs.
 *
 * Threads    That of the control loop.
 */

#include "base/err.h"

struct control;
struct health;

/*
 * At the configured address. If that is the default and somebody else has it, there are no health checks, and the log says
 * so: NULL without an error.
 */
int health_open(struct control *control, struct health **ret, struct err *e);

/* Where it listens, borrowed; -1: nowhere. */
int health_fd(const struct health *h);

/* Nobody new comes in. */
void health_stop(struct health *h);

void health_close(struct health *h); /* NULL is ignored */
