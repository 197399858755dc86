#pragma once

/*
 * metrics.h - /metrics at metrics_address, for Prometheus (extensions.md 6, configuration.md 3.11)
 *
 * Everything is read from where it is counted: the workers' counters, the states of routes, the log, the store. Before a page
 * is written every worker adds up the bytes of its open tunnels, so that a tunnel of days does not count only at its end.
 *
 * Threads    That of the control loop.
 * Limits     One series per route; METRICS_PAGE_MAX bytes, beyond which the answer is 500.
 */

#include <stdbool.h>

#include "base/err.h"

#define METRICS_PAGE_MAX (64u << 20)

struct control;
struct local_http;
struct metrics;
struct snapshot;
struct tls_config;

/* Listens at nothing yet. */
struct metrics *metrics_new(struct control *control);
void metrics_free(struct metrics *m); /* NULL is ignored */

/* Where it listens, borrowed; -1: nowhere. */
int metrics_fd(const struct metrics *m);

/* Nobody new comes in. */
void metrics_stop(struct metrics *m);

/* What a new configuration changes. */
struct metrics_change {
	struct local_http *http; /* newly bound; NULL: the one there is stays, or none is wanted */
	struct tls_config *tls;  /* NULL: plain HTTP */
	bool keeps;              /* the listener there is */
};

/* All that can fail. Then either commit or discard. */
int metrics_prepare(struct metrics *m, const struct snapshot *next, struct metrics_change *ret,
		    struct err *e);
void metrics_commit(struct metrics *m, struct snapshot *next, struct metrics_change *change);
void metrics_change_discard(struct metrics_change *change);
