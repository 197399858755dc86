#pragma once

/*
 * health_probe.h - looks once whether a target is well: connects, says something, waits for what must come
 *
 * A target that wants a PROXY header gets one that names nobody. Of a proxy only the connection is tried.
 *
 * Ownership  Target and check are borrowed until on_done has run or the probe was cancelled.
 * Threads    One loop.
 * Limits     HEALTH_PROBE_RECEIVE_MAX bytes are looked at.
 */

#include "base/err.h"
#include "config/config.h"
#include "io/dial.h"

#define HEALTH_PROBE_RECEIVE_MAX (64u << 10)

struct health_probe;
struct loop;
struct resolver;

struct health_probe_options {
	struct loop *loop;
	struct resolver *resolver;
	const struct config_target *target;
	const struct config_health_check *check;
	enum dial_family family;
	enum config_proxy_header proxy_header;
};

/* on_done runs once, later; e is NULL if the target is well. */
struct health_probe *health_probe_start(const struct health_probe_options *options,
					void (*on_done)(void *arg, const struct err *e), void *arg);

/* on_done will not run. NULL is ignored. */
void health_probe_cancel(struct health_probe *p);
