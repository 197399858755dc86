#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/commands.h"
#include "proxy/server.h"

static int print_help(const struct flag *flags, size_t flag_count, const struct command *commands,
		      size_t count)
{
	(void)printf("pomerium - lets the right people reach TCP services\n\n"
		     "  pomerium --config FILE       serve\n");
	for (size_t i = 0; i < count; i++)
		(void)printf("  pomerium %-19s %s\n", commands[i].name, commands[i].summary);
	(void)printf("\nFlags:\n");
	flags_print(flags, flag_count);
	return 0;
}

/* Without routes there is nothing to serve: whoever gave no file has forgotten it. */
static bool is_in_environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0];
}

int command_serve(int argc, char **argv, const struct command *commands, size_t count)
{
	const char *config = NULL;
	const char *version = NULL;
	const char *help = NULL;
	const struct flag flags[] = {
		{ "config", "FILE", "the configuration, YAML or JSON", &config },
		{ "version", NULL, "print the version", &version },
		{ "help", NULL, "print this", &help },
	};
	const char *word = NULL;
	int words = flags_parse(flags, ARRAY_LEN(flags), argc, argv, &word, 1);

	if (words < 0)
		return EXIT_USAGE;
	if (help || (word && strcmp(word, "help") == 0))
		return print_help(flags, ARRAY_LEN(flags), commands, count);
	if (version)
		return command_version(argc, argv);
	if (words > 0)
		return command_fail(EXIT_USAGE, "\"%s\" is not a command, see pomerium --help",
				    word);
	if (!config && !is_in_environment("ROUTES") && !is_in_environment("POLICY"))
		return command_fail(
			EXIT_USAGE,
			"there is no configuration: give --config FILE, make one with pomerium init DIR, or set ROUTES");
	return server_run(&(struct server_options){ .config_path = config,
						    .argv = (const char *const *)argv });
}
