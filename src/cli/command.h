#pragma once

/*
 * command.h - the commands of pomerium-cli as rows of a table
 *
 * A command is one file (cmd_*.c) with one function, and one row in commands.c. The help is made from the rows.
 */

#include <stddef.h>

#include "cli/exit_status.h"

struct options;
struct program;

struct command {
	const char *name;
	const char *usage; /* its arguments, as the help shows them; may be "" */
	const char *summary;
	const char *description;
	unsigned option_groups; /* enum option_group, or-ed */
	size_t arguments_min;
	size_t arguments_max;
	enum exit_status (*run)(const struct program *program, const struct options *options);
};

struct program {
	const struct command *commands;
	size_t command_count;
};

/* commands.c */
extern const struct program the_program;

/* Finds the command, reads its flags, runs it. Complains on standard error. */
enum exit_status program_run(const struct program *program, int argc, char *const *argv);

/* NULL if there is none of that name. */
const struct command *program_find(const struct program *program, const char *name);

/* One sentence for what the user typed wrong, and where to look. Returns EXIT_STATUS_USAGE. */
enum exit_status program_complain(const struct command *command, const char *sentence);

enum exit_status cmd_auth_run(const struct program *program, const struct options *options);
enum exit_status cmd_cache_run(const struct program *program, const struct options *options);
enum exit_status cmd_check_run(const struct program *program, const struct options *options);
enum exit_status cmd_completion_run(const struct program *program, const struct options *options);
enum exit_status cmd_connect_run(const struct program *program, const struct options *options);
enum exit_status cmd_help_run(const struct program *program, const struct options *options);
enum exit_status cmd_login_run(const struct program *program, const struct options *options);
enum exit_status cmd_logout_run(const struct program *program, const struct options *options);
enum exit_status cmd_k8s_run(const struct program *program, const struct options *options);
enum exit_status cmd_proxy_run(const struct program *program, const struct options *options);
enum exit_status cmd_routes_run(const struct program *program, const struct options *options);
enum exit_status cmd_ssh_config_run(const struct program *program, const struct options *options);
enum exit_status cmd_tcp_run(const struct program *program, const struct options *options);
enum exit_status cmd_udp_run(const struct program *program, const struct options *options);
enum exit_status cmd_version_run(const struct program *program, const struct options *options);
enum exit_status cmd_whoami_run(const struct program *program, const struct options *options);
