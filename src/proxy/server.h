#pragma once

/*
 * server.h - the gateway as a process: load, bind, serve, end
 *
 * Runs on the control thread: signals, housekeeping; the work is done by the workers.
 */

#include "base/err.h"

struct server_options {
	const char *config_path; /* NULL: only variables of the environment */
	const char *const *argv; /* how the program was started, for an upgrade */
};

/* Runs until SIGTERM or SIGINT. Returns the exit status: 0, or 1 after having said why on standard error. */
int server_run(const struct server_options *options);
