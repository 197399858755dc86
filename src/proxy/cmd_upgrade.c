/*
 * pomerium upgrade: a new process takes the place of the gateway that is running.
 */

#include <stdio.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

static void say(struct str answer)
{
	(void)printf("upgraded: process ");
	admin_print_value(answer, "pid");
	(void)printf(" serves; the one before goes on with its ");
	admin_print_value(answer, "tunnels_left");
	(void)printf(" tunnels\n");
}

static int upgrade(const struct admin_flags *flags)
{
	return admin_do(flags, "POST", STR("upgrade"), STR(""), say);
}

int command_upgrade(int argc, char **argv)
{
	return admin_command(
		argc, argv,
		"pomerium upgrade - a new process takes the place of the gateway that runs "
		"here\n\nThe program is started again from where it was, with the same "
		"arguments. When it serves, the\nprocess before accepts nobody any more, and "
		"ends with its last tunnel. If it cannot serve,\nit says why, and nothing has "
		"changed.\n",
		upgrade);
}
