/*
 * pomerium sessions and pomerium tunnels: what there is, and how it ends. The two differ in their words alone.
 */

#include <stdio.h>
#include <string.h>

#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

#define PATH_LEN_MAX 4096

struct things {
	const char *name;
	const char *summary;
	const char *end; /* the word that ends one */
	const char *user_help;
	void (*say)(struct str answer); /* what was ended */
};

static void say_sessions(struct str answer)
{
	(void)printf("sessions revoked: ");
	admin_print_value(answer, "revoked");
	(void)printf(", tunnels closed: ");
	admin_print_value(answer, "tunnels_closed");
	(void)printf("\n");
}

static void say_tunnels(struct str answer)
{
	(void)printf("tunnels closed: ");
	admin_print_value(answer, "closed");
	(void)printf("\n");
}

static int end(const struct things *things, const struct admin_flags *flags, const char *id,
	       const char *user)
{
	struct buf path = BUF_INIT(PATH_LEN_MAX);
	int status;

	admin_path(&path, things->name, id, user);
	status = path.is_overflown
			 ? command_fail(1, "that is too long")
			 : admin_do(flags, "DELETE", buf_view(&path), STR(""), things->say);
	buf_done(&path);
	return status;
}

static int print_help(const struct things *things, const struct flag *table, size_t count)
{
	const char *name = things->name;

	(void)printf("pomerium %s - %s\n\n"
		     "  pomerium %s list\n"
		     "  pomerium %s %s ID\n"
		     "  pomerium %s %s --user EMAIL\n\nFlags:\n",
		     name, things->summary, name, name, things->end, name, things->end);
	flags_print(table, count);
	return 0;
}

static int run(const struct things *things, int argc, char **argv)
{
	struct admin_flags values = { 0 };
	const char *name = things->name;
	const char *user = NULL;
	const struct flag table[] = {
		{ "user", "EMAIL", things->user_help, &user },
		ADMIN_FLAGS(values),
	};
	const char *words[2] = { 0 };
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, words, ARRAY_LEN(words));

	if (count < 0)
		return EXIT_USAGE;
	if (values.help)
		return print_help(things, table, ARRAY_LEN(table));
	if (count == 1 && !user && strcmp(words[0], "list") == 0)
		return admin_print_list(&values, name);
	if (count == 0 || strcmp(words[0], things->end) != 0)
		return command_fail(EXIT_USAGE, "list or %s? see pomerium %s --help", things->end,
				    name);
	/* Exactly one of both, and not an empty one. */
	if ((count == 2) == (user != NULL) || (user ? !*user : !*words[1]))
		return command_fail(EXIT_USAGE,
				    "usage: pomerium %s %s ID, or pomerium %s %s --user EMAIL",
				    name, things->end, name, things->end);
	return end(things, &values, words[1], user);
}

int command_sessions(int argc, char **argv)
{
	static const struct things sessions = {
		.name = "sessions",
		.summary = "who is logged in, and no longer",
		.end = "revoke",
		.user_help = "revoke: all of this user",
		.say = say_sessions,
	};

	return run(&sessions, argc, argv);
}

int command_tunnels(int argc, char **argv)
{
	static const struct things tunnels = {
		.name = "tunnels",
		.summary = "the tunnels that are open",
		.end = "close",
		.user_help = "close: all of this user",
		.say = say_tunnels,
	};

	return run(&tunnels, argc, argv);
}
