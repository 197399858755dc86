/*
 * From argv to a command: the first word is the command's name, or one of the few flags of the program itself.
 */

#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/help.h"
#include "cli/options.h"

const struct command *program_find(const struct program *program, const char *name)
{
	for (size_t i = 0; i < program->command_count; i++)
		if (strcmp(program->commands[i].name, name) == 0)
			return &program->commands[i];
	return NULL;
}

enum exit_status program_complain(const struct command *command, const char *sentence)
{
	fprintf(stderr, "pomerium-cli: %s\nRun 'pomerium-cli%s%s --help' for usage.\n", sentence,
		command ? " " : "", command ? command->name : "");
	return EXIT_STATUS_USAGE;
}

static enum exit_status complain_about_count(const struct command *command)
{
	char sentence[128];

	if (command->arguments_max == 0)
		snprintf(sentence, sizeof(sentence), "%s takes no arguments", command->name);
	else
		snprintf(sentence, sizeof(sentence), "%s is used as: %s %s", command->name,
			 command->name, command->usage);
	return program_complain(command, sentence);
}

static enum exit_status run_command(const struct program *program, const struct command *command,
				    int argc, char *const *argv)
{
	struct options options;
	struct err e;

	if (options_parse(command->option_groups, argc, argv, &options, &e) < 0)
		return program_complain(command, e.text);
	if (options.wants_help) {
		help_print_command(command, stdout);
		return EXIT_STATUS_OK;
	}
	if (options.argument_count < command->arguments_min ||
	    options.argument_count > command->arguments_max)
		return complain_about_count(command);
	return command->run(program, &options);
}

enum exit_status program_run(const struct program *program, int argc, char *const *argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";
	const struct command *command = program_find(program, word);
	char sentence[128];

	if (command)
		return run_command(program, command, argc - 2, argv + 2);
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
		help_print_program(program, stdout);
		return EXIT_STATUS_OK;
	}
	if (strcmp(word, "-v") == 0 || strcmp(word, "--version") == 0)
		return cmd_version_run(program, NULL);
	snprintf(sentence, sizeof(sentence), "unknown %s %.64s",
		 word[0] == '-' ? "flag" : "command", word);
	return program_complain(NULL, sentence);
}
