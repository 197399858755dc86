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
	return admin_command(argc, argv, "pomerium status - how the gateway is that runs here\n",
			     show);
}
