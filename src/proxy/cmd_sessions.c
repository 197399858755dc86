/*
 * pomerium sessions: who is logged in, and no longer.
 */

#include <stdio.h>
#include <string.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

#define PATH_LEN_MAX 4096

static void say(struct str answer)
{
	(void)printf("sessions revoked: ");
	admin_print_value(answer, "revoked");
	(void)printf(", tunnels closed: ");
	admin_print_value(answer, "tunnels_closed");
	(void)printf("\n");
}

static int end(const struct admin_flags *flags, const char *id, const char *user)
{
	struct buf path = BUF_INIT(PATH_LEN_MAX);
	int status;

	admin_path(&path, "sessions", id, user);
	status = path.is_overflown ? command_fail(1, "that is too long")
				   : admin_do(flags, "DELETE", buf_view(&path), STR(""), say);
	buf_done(&path);
	return status;
}

static int print_help(const struct flag *table, size_t count)
{
	(void)printf("pomerium sessions - who is logged in, and no longer\n\n"
		     "  pomerium sessions list\n"
		     "  pomerium sessions revoke ID\n"
		     "  pomerium sessions revoke --user EMAIL\n\nFlags:\n");
	flags_print(table, count);
	return 0;
}

int command_sessions(int argc, char **argv)
{
	struct admin_flags values = { 0 };
	const char *user = NULL;
	const struct flag table[] = {
		{ "user", "EMAIL", "revoke: all of this user", &user },
		ADMIN_FLAGS(values),
	};
	const char *words[2] = { 0 };
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, words, ARRAY_LEN(words));

	if (count < 0)
		return EXIT_USAGE;
	if (values.help)
		return print_help(table, ARRAY_LEN(table));
	if (count == 1 && !user && strcmp(words[0], "list") == 0)
		return admin_print_list(&values, "sessions");
	if (count == 0 || strcmp(words[0], "revoke") != 0)
		return command_fail(EXIT_USAGE, "list or revoke? see pomerium sessions --help");
	/* Exactly one of both, and not an empty one. */
	if ((count == 2) == (user != NULL) || (user ? !*user : !*words[1]))
		return command_fail(
			EXIT_USAGE,
			"usage: pomerium sessions revoke ID, or pomerium sessions revoke --user EMAIL");
	return end(&values, words[1], user);
}
