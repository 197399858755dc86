/*
 * pomerium status: how the gateway that is running is.
 */

#include <stdio.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/cmd_admin_client_table.h"
#include "proxy/commands.h"

static int show(const struct admin_flags *flags)
{
	struct buf answer = BUF_INIT(ADMIN_ANSWER_MAX);
	int result = admin_ask(flags,
			       &(struct admin_ask){ .method = "GET",
						    .path = STR("status"),
						    .wants_lines = !flags->json },
			       &answer);

	if (result == 0 && flags->json)
		(void)printf("%.*s", STR_FMT(buf_view(&answer)));
	else if (result == 0)
		table_print(buf_view(&answer));
	buf_done(&answer);
	return result < 0 ? 1 : 0;
}

int command_status(int argc, char **argv)
{
	struct admin_flags values = { 0 };
	const struct flag table[] = { ADMIN_FLAGS(values) };
	const char *word = NULL;
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, &word, 0);

	if (count < 0)
		return EXIT_USAGE;
	if (!values.help)
		return show(&values);
	(void)printf("pomerium status - how the gateway is that runs here\n\nFlags:\n");
	flags_print(table, ARRAY_LEN(table));
	return 0;
}
