#pragma once

/*
 * commands.h - the commands of `pomerium`
 *
 * Each is a function in a file cmd_<name>.c and a row in main.c. argv[0] is the command's name. The result is the exit status:
 * 0, 1 for what went wrong, EXIT_USAGE for a command line that makes no sense.
 */

#include <stddef.h>

#include "base/err.h"

#define EXIT_USAGE 2

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

/* Without a command: --config FILE serves; --version, --help. */
int command_serve(int argc, char **argv, const struct command *commands, size_t count);

int command_init(int argc, char **argv);
int command_user(int argc, char **argv);
int command_hash_password(int argc, char **argv);
int command_status(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_upgrade(int argc, char **argv);
int command_drain(int argc, char **argv);
int command_routes(int argc, char **argv);
int command_sessions(int argc, char **argv);
int command_tunnels(int argc, char **argv);
int command_service_account(int argc, char **argv);
int command_validate(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_version(int argc, char **argv);

#define FLAG_VALUES_MAX 64

/*
 * A flag of a command: "--name VALUE" or, without value_name, "--name". One whose value_name ends in "..." may be given up to
 * FLAG_VALUES_MAX times: value is the first of an array of one more, NULL behind the last.
 */
struct flag {
	const char *name;
	const char *value_name; /* NULL: takes none */
	const char *help;
	const char **value; /* gets the value, or "" for a flag without */
};

/*
 * Reads flags and arguments in any order (GNU style, "-name" as well as "--name"); what is no flag goes to arguments. Returns the number of arguments, or -1 after
 * having said what is wrong on standard error.
 */
int flags_parse(const struct flag *flags, size_t flag_count, int argc, char **argv,
		const char **arguments, size_t arguments_max);
void flags_print(const struct flag *flags, size_t flag_count);

/* "pomerium: <text>" on standard error; returns status. */
int command_fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);
