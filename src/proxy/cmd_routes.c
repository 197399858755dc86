/*
 * pomerium routes: the routes in force in the gateway that is running.
 */

#include <stdio.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

static int show(const struct admin_flags *flags)
{
	return admin_print_list(flags, "routes");
}

int command_routes(int argc, char **argv)
{
	return admin_command(argc, argv,
			     "pomerium routes - the routes of the gateway that runs here\n", show);
}
