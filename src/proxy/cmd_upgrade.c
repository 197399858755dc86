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

int command_upgrade(int argc, char **argv)
{
	struct admin_flags values = { 0 };
	const struct flag table[] = { ADMIN_FLAGS(values) };
	const char *word = NULL;
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, &word, 0);

	if (count < 0)
		return EXIT_USAGE;
	if (!values.help)
		return admin_do(&values, "POST", STR("upgrade"), STR(""), say);
	(void)printf("pomerium upgrade - a new process takes the place of the gateway that runs "
		     "here\n\nThe program is started again from where it was, with the same "
		     "arguments. When it serves, the\nprocess before accepts nobody any more, and "
		     "ends with its last tunnel. If it cannot serve,\nit says why, and nothing has "
		     "changed.\n\nFlags:\n");
	flags_print(table, ARRAY_LEN(table));
	return 0;
}
