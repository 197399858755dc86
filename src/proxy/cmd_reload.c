/*
 * pomerium reload: has the gateway that is running read its configuration again.
 */

#include <stdio.h>

#include "identity/claims.h"
#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

static void print_list(const struct claims *answer, const char *name, const char *before,
		       const char *after)
{
	const struct claim *list = claims_find(answer, str_from(name));

	for (size_t i = 0; list && i < list->value_count; i++)
		(void)printf("%s%.*s%s\n", before, STR_FMT(list->values[i]), after);
}

static void print_number(const struct claims *answer, const char *name, const char *before,
			 const char *after)
{
	(void)printf("%s%.*s%s", before, STR_FMT(claims_text(answer, str_from(name))), after);
}

static void say(struct str text)
{
	struct arena arena = { 0 };
	struct claims answer = { 0 };

	if (claims_parse(text, &arena, &answer, NULL) == 0) {
		print_number(&answer, "routes", "reloaded: ", " routes");
		print_number(&answer, "routes_added", " (", " new");
		print_number(&answer, "routes_removed", ", ", " gone");
		print_number(&answer, "routes_changed", ", ", " changed)\n");
		print_list(&answer, "changed", "changed: ", "");
		print_list(&answer, "warnings", "warning: ", "");
		print_list(&answer, "restart_needed",
			   "warning: ", " keeps its value until the gateway is restarted");
	}
	arena_done(&arena);
}

/* Every problem is a line of its own, as when the gateway starts. */
static int complain(struct str text)
{
	struct arena arena = { 0 };
	struct claims answer = { 0 };
	const struct claim *problems = NULL;

	if (claims_parse(text, &arena, &answer, NULL) < 0)
		return command_fail(1, "the answer of the gateway is not understood");
	problems = claims_find(&answer, STR("problems"));
	for (size_t i = 0; problems && i < problems->value_count; i++)
		(void)command_fail(1, "%.*s", STR_FMT(problems->values[i]));
	(void)command_fail(1, "%.*s", STR_FMT(claims_text(&answer, STR("error"))));
	arena_done(&arena);
	return 1;
}

static int reload(const struct admin_flags *flags)
{
	struct buf answer = BUF_INIT(ADMIN_ANSWER_MAX);
	int result = admin_ask(flags,
			       &(struct admin_ask){ .method = "POST",
						    .path = STR("reload"),
						    .takes_refusal = true },
			       &answer);

	if (result >= 0 && flags->json)
		(void)printf("%.*s", STR_FMT(buf_view(&answer)));
	else if (result > 0)
		(void)complain(buf_view(&answer));
	else if (result == 0)
		say(buf_view(&answer));
	buf_done(&answer);
	return result ? 1 : 0;
}

int command_reload(int argc, char **argv)
{
	return admin_command(
		argc, argv,
		"pomerium reload - the gateway that runs here reads its configuration again\n\n"
		"Nobody is disconnected who is still allowed. If anything is wrong with the "
		"new configuration,\nit says what, and the one before stays in force.\n",
		reload);
}
