/*
 * pomerium: the gateway and the few commands an operator needs beside it.
 */

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/file.h"
#include "proxy/commands.h"

static const struct command commands[] = {
	{ "init", "make a configuration that works", command_init },
	{ "user", "add, change, list the users in a file", command_user },
	{ "hash-password", "turn a password into what password_hash wants", command_hash_password },
	{ "status", "how the gateway is that runs here", command_status },
	{ "reload", "have it read its configuration again", command_reload },
	{ "upgrade", "have a new process take its place", command_upgrade },
	{ "drain", "have it take no more clients, and end after its tunnels", command_drain },
	{ "routes", "its routes", command_routes },
	{ "sessions", "who is logged in; revoke", command_sessions },
	{ "tunnels", "what is open; close", command_tunnels },
	{ "service-account", "make, list, revoke accounts of programs", command_service_account },
	{ "validate", "check a configuration; every problem with its place", command_validate },
	{ "explain", "who may reach what, and why", command_explain },
	{ "version", "print the version", command_version },
};

static int run(int argc, char **argv)
{
	if (argc > 1)
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			if (strcmp(argv[1], commands[i].name) == 0)
				return commands[i].run(argc - 1, argv + 1);
	return command_serve(argc, argv, commands, ARRAY_LEN(commands));
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);
	struct err e;

	if (file_finish_output(stdout, &e) < 0 && status == 0)
		status = command_fail(1, "%s", e.text);
	return status;
}
