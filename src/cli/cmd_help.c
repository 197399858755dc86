/*
 * help [COMMAND]
 */

#include "cli/command.h"

#include <stdio.h>

#include "cli/help.h"
#include "cli/options.h"

enum exit_status cmd_help_run(const struct program *program, const struct options *options)
{
	const struct command *command;
	char sentence[128];

	if (options->argument_count == 0) {
		help_print_program(program, stdout);
		return EXIT_STATUS_OK;
	}
	command = program_find(program, options->arguments[0]);
	if (!command) {
		snprintf(sentence, sizeof(sentence), "unknown command %.64s",
			 options->arguments[0]);
		return program_complain(NULL, sentence);
	}
	help_print_command(command, stdout);
	return EXIT_STATUS_OK;
}
