/*
 * completion bash|zsh|fish
 */

#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/completion.h"
#include "cli/options.h"

static const struct {
	const char *name;
	void (*print)(const struct program *program, FILE *out);
} shells[] = {
	{ "bash", completion_print_bash },
	{ "zsh", completion_print_zsh },
	{ "fish", completion_print_fish },
};

enum exit_status cmd_completion_run(const struct program *program, const struct options *options)
{
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(options->arguments[0], shells[i].name) != 0)
			continue;
		shells[i].print(program, stdout);
		return EXIT_STATUS_OK;
	}
	return program_complain(program_find(program, "completion"),
				"completion knows the shells bash, zsh and fish");
}
