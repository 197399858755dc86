/*
 * Nothing is written twice: what a command or a flag is said to do stands in its row.
 */

#include "cli/help.h"

#include "cli/command.h"
#include "cli/options.h"

void help_print_program(const struct program *program, FILE *out)
{
	fprintf(out, "pomerium-cli opens TCP connections through a Pomerium gateway.\n\n"
		     "Usage:\n  pomerium-cli COMMAND [ARGUMENTS] [FLAGS]\n\nCommands:\n");
	for (size_t i = 0; i < program->command_count; i++)
		fprintf(out, "  %-12s%s\n", program->commands[i].name,
			program->commands[i].summary);
	fprintf(out, "\nFlags:\n  -h, --help     show this help\n"
		     "  -v, --version  show the version\n\n"
		     "Run 'pomerium-cli COMMAND --help' for the flags of a command.\n");
}

void help_print_command(const struct command *command, FILE *out)
{
	fprintf(out, "%s\n\nUsage:\n  pomerium-cli %s%s%s%s\n\nFlags:\n", command->description,
		command->name, command->usage[0] ? " " : "", command->usage,
		command->option_groups ? " [FLAGS]" : "");
	options_print_help(command->option_groups, out);
}
