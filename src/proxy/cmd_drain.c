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

int command_drain(int argc, char **argv)
{
	struct admin_flags values = { 0 };
	const struct flag table[] = { ADMIN_FLAGS(values) };
	const char *word = NULL;
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, &word, 0);

	if (count < 0)
		return EXIT_USAGE;
	if (!values.help)
		return admin_do(&values, "POST", STR("drain"), STR(""), say);
	(void)printf("pomerium drain - the gateway that runs here takes no more clients\n\n"
		     "Open tunnels go on until they end or drain_timeout is over; then the gateway "
		     "ends. As after SIGTERM.\n\nFlags:\n");
	flags_print(table, ARRAY_LEN(table));
	return 0;
}
