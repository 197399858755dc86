#pragma once

/*
 * command_load.h - a configuration for commands that only look
 *
 * Checks all that the gateway would, without its state directory: secrets that are not set are zeros.
 */

#include "config/report.h"
#include "proxy/snapshot.h"

/* NULL: the report has errors. The environment counts, as it does for the gateway. */
struct snapshot *command_load(const char *path, struct report *report);

/* Every problem as a line on standard error. */
void command_show_problems(const struct report *report);
