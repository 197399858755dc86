/*
 * pomerium routes: the routes in force in the gateway that is running.
 */

#include <stdio.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

int command_routes(int argc, char **argv)
{
	struct admin_flags values = { 0 };
	const struct flag table[] = { ADMIN_FLAGS(values) };
	const char *word = NULL;
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, &word, 0);

	if (count < 0)
		return EXIT_USAGE;
	if (!values.help)
		return admin_print_list(&values, "routes");
	(void)printf("pomerium routes - the routes of the gateway that runs here\n\nFlags:\n");
	flags_print(table, ARRAY_LEN(table));
	return 0;
}
