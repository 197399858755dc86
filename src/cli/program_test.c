/*
 * From argv to a command.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/command.h"
#include "cli/options.h"

static enum exit_status run_probe(const struct program *program, const struct options *options)
{
	return options->argument_count == 1 && options->listen ? EXIT_STATUS_DENIED
							       : EXIT_STATUS_OTHER;
}

static const struct command commands[] = {
	{ .name = "probe",
	  .usage = "THING",
	  .summary = "",
	  .description = "",
	  .option_groups = OPTION_GROUP_TUNNEL,
	  .arguments_min = 1,
	  .arguments_max = 1,
	  .run = run_probe },
	{ .name = "help",
	  .usage = "",
	  .summary = "",
	  .description = "",
	  .arguments_max = 1,
	  .run = cmd_help_run },
};

struct run_case {
	const char *words[4];
	int argc;
	enum exit_status expected;
};

static void test_run(void **state)
{
	static const struct run_case cases[] = {
		{ { "probe", "x", "--listen=y" }, 3, EXIT_STATUS_DENIED },
		{ { "probe", "x" }, 2, EXIT_STATUS_OTHER },
		{ { "probe" }, 1, EXIT_STATUS_USAGE },
		{ { "probe", "x", "y" }, 3, EXIT_STATUS_USAGE },
		{ { "probe", "--nonsense" }, 2, EXIT_STATUS_USAGE },
		{ { "probe", "--help" }, 2, EXIT_STATUS_OK },
		{ { "help", "probe" }, 2, EXIT_STATUS_OK },
		{ { "help", "nothing" }, 2, EXIT_STATUS_USAGE },
		{ { "help" }, 1, EXIT_STATUS_OK },
		{ { "nothing" }, 1, EXIT_STATUS_USAGE },
		{ { "--nothing" }, 1, EXIT_STATUS_USAGE },
		{ { "-h" }, 1, EXIT_STATUS_OK },
		{ { "-v" }, 1, EXIT_STATUS_OK },
		{ { "--version" }, 1, EXIT_STATUS_OK },
		{ { NULL }, 0, EXIT_STATUS_OK },
	};
	const struct program program = { commands, ARRAY_LEN(commands) };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *argv[5] = { (char *)(uintptr_t) "pomerium-cli" };

		for (int word = 0; word < cases[i].argc; word++)
			argv[word + 1] = (char *)(uintptr_t)cases[i].words[word];
		assert_int_equal(program_run(&program, cases[i].argc + 1, argv), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_run) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
