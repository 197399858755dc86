/*
 * version: one line on standard output (protocol.md 8.9)
 */

#include "cli/command.h"

#include <stdio.h>

#include "cli/version.h"

enum exit_status cmd_version_run(const struct program *program, const struct options *options)
{
	printf("pomerium-cli version " CLI_VERSION "\n");
	return EXIT_STATUS_OK;
}
