#pragma once

/*
 * health_check.h - looks regularly whether the targets of routes are well (health_checks)
 *
 * Every check of every target runs by itself, about every interval: the exact moment is random, so that they do not come all
 * at once. The first result counts by itself, later ones when there were enough in a row. A target is down while one of
 * its checks says so; that is told to the balancer through the route's state, and each change to the log.
 *
 * Ownership  Copies what it needs of a snapshot and references the states of its routes.
 * Threads    That of the loop.
 */

#include "base/err.h"

struct health_checks;
struct log;
struct loop;
struct snapshot;

struct health_checks *health_checks_new(struct loop *loop, struct log *log);
void health_checks_free(struct health_checks *h); /* NULL is ignored */

/* At the start and after every reload. Checks that are as they were go on undisturbed. NULL is ignored. */
void health_checks_set(struct health_checks *h, const struct snapshot *snapshot);
