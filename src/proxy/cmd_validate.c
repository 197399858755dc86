/*
 * pomerium validate: every problem of a configuration at once, each with its file, line and column.
 */

#include <stdio.h>

#include "proxy/command_load.h"
#include "proxy/commands.h"

static int say_count(const struct report *report, const char *path)
{
	size_t errors = report->error_count;
	size_t warnings = report->warning_count;

	if (errors)
		return command_fail(1, "%s: %zu error%s, %zu warning%s", path, errors,
				    errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	(void)printf("%s: good", path);
	if (warnings)
		(void)printf(", %zu warning%s", warnings, warnings == 1 ? "" : "s");
	(void)printf("\n");
	return 0;
}

int command_validate(int argc, char **argv)
{
	const char *config = NULL;
	const char *help = NULL;
	const struct flag flags[] = {
		{ "config", "FILE", "the configuration, YAML or JSON", &config },
		{ "help", NULL, "print this", &help },
	};
	struct report report = { 0 };

	if (flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, 0) < 0)
		return EXIT_USAGE;
	if (help) {
		(void)printf(
			"pomerium validate [--config FILE] - check a configuration without using it\n\n"
			"Variables of the environment count; without a file, they alone do. "
			"Prints every problem as file:line:column. Ends with 1 if there is an error, "
			"with 0 if there are warnings\nat most.\n\nFlags:\n");
		flags_print(flags, ARRAY_LEN(flags));
		return 0;
	}
	snapshot_unref(command_load(config, &report));
	command_show_problems(&report);
	int status = say_count(&report, config ? config : "the environment");
	report_done(&report);
	return status;
}
