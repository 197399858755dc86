#pragma once

/*
 * configuration.h - from a file and variables to a snapshot, with every problem there is
 *
 * The one way to a snapshot, at the start and on every reload, and for the commands that only look.
 *
 * Threads    Any: it reads files and takes its time, so never on a loop that serves somebody.
 */

#include "config/config.h"
#include "config/report.h"
#include "proxy/snapshot.h"

struct log;

/*
 * NULL if there was an error; everything that is wrong is in the report, warnings too. Secrets that are not set are
 * those of the state directory, made there if need be (extensions.md 1); the log says so, if it is not NULL. previous: the
 * snapshot in force, or NULL.
 */
struct snapshot *configuration_load(const struct config_source *source,
				    const struct snapshot *previous, struct log *log,
				    struct report *report);

/* Each problem as a line on standard error, and how many errors there are. */
void configuration_show(const struct report *report, const char *path);

/* The warnings, one line each. */
void configuration_log_warnings(const struct report *report, struct log *log);
