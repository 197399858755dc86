/*
 * pomerium drain: the gateway takes no more clients, and ends when its tunnels have.
 */

#include <stdio.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

static void say(struct str answer)
{
	admin_print_value(answer, "state");
	(void)printf(": ");
	admin_print_value(answer, "tunnels");
	(void)printf(" tunnels are left, until ");
	admin_print_value(answer, "until");
	(void)printf(" at most\n");
}

static int drain(const struct admin_flags *flags)
{
	return admin_do(flags, "POST", STR("drain"), STR(""), say);
}

int command_drain(int argc, char **argv)
{
	return admin_command(
		argc, argv,
		"pomerium drain - the gateway that runs here takes no more clients\n\n"
		"Open tunnels go on until they end or drain_timeout is over; then the gateway "
		"ends. As after SIGTERM.\n",
		drain);
}
