/*
 * pomerium service-account: makes, lists and revokes the accounts of programs.
 */

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "proxy/cmd_admin_client.h"
#include "proxy/commands.h"

#define BODY_MAX     (64u * 1024)
#define PATH_LEN_MAX 4096
#define LIFETIME_MAX (100ull * 366 * 24 * 3600)

struct account_flags {
	struct admin_flags admin;
	const char *user;
	const char *email;
	const char *groups;
	const char *expires;
	const char *description;
};

/* "90d", "12h", "30m", "45s"; "0" and "never" are 0. */
static int read_lifetime(const char *text, uint64_t *ret_s)
{
	static const struct {
		char letter;
		unsigned seconds;
	} units[] = { { 'd', 24 * 3600 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	struct str s = str_from(text);
	uint64_t value;

	*ret_s = 0;
	if (!text || str_equal(s, STR("never")) || str_equal(s, STR("0")))
		return 0;
	if (s.len < 2 || !str_to_uint64(str_first(s, s.len - 1), &value) || value == 0 ||
	    value > LIFETIME_MAX)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (s.at[s.len - 1] == units[i].letter)
			*ret_s = value * units[i].seconds;
	return *ret_s == 0 || *ret_s > LIFETIME_MAX ? -1 : 0;
}

static void write_text(struct json_writer *w, const char *key, const char *value)
{
	if (!value)
		return;
	json_key(w, str_from(key));
	json_text(w, str_from(value));
}

static void write_groups(struct json_writer *w, const char *list)
{
	struct str rest = str_from(list);
	struct str item;

	json_key(w, STR("groups"));
	json_array_begin(w);
	while (str_cut(&rest, ',', &item))
		if (!str_is_empty(str_trim(item)))
			json_text(w, str_trim(item));
	json_array_end(w);
}

/* The token alone is on standard output: it can go straight into a file or a secret store. */
static void say_created(struct str answer)
{
	admin_print_value(answer, "token");
	(void)printf("\n");
	(void)fprintf(
		stderr,
		"The token is shown this once. To end it: pomerium service-account revoke ID (see list)\n");
}

static int create(const struct account_flags *flags)
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct json_writer w = { .out = &body };
	uint64_t lifetime_s;
	int status;

	if (!flags->user || !*flags->user)
		return command_fail(EXIT_USAGE, "--user NAME is missing");
	if (read_lifetime(flags->expires, &lifetime_s) < 0)
		return command_fail(EXIT_USAGE,
				    "--expires takes a time like 90d, 12h, 30m, or never");
	json_object_begin(&w);
	write_text(&w, "user", flags->user);
	write_text(&w, "email", flags->email);
	write_text(&w, "description", flags->description);
	write_groups(&w, flags->groups);
	json_key(&w, STR("expires_s"));
	json_uint(&w, lifetime_s);
	json_object_end(&w);
	status = body.is_overflown ? command_fail(1, "that is too long")
				   : admin_do(&flags->admin, "POST", STR("service-accounts"),
					      buf_view(&body), say_created);
	buf_done(&body);
	return status;
}

static void say_revoked(struct str answer)
{
	(void)printf("service accounts revoked: ");
	admin_print_value(answer, "revoked");
	(void)printf(", tunnels closed: ");
	admin_print_value(answer, "tunnels_closed");
	(void)printf("\n");
}

static int revoke(const struct account_flags *flags, const char *id)
{
	struct buf path = BUF_INIT(PATH_LEN_MAX);
	int status;

	admin_path(&path, "service-accounts", id, NULL);
	status = path.is_overflown
			 ? command_fail(1, "that is too long")
			 : admin_do(&flags->admin, "DELETE", buf_view(&path), STR(""), say_revoked);
	buf_done(&path);
	return status;
}

static int print_help(const struct flag *table, size_t count)
{
	(void)printf(
		"pomerium service-account - accounts of programs, which log in with a token\n\n"
		"  pomerium service-account create --user NAME\n"
		"  pomerium service-account list\n"
		"  pomerium service-account revoke ID\n\nFlags:\n");
	flags_print(table, count);
	return 0;
}

static int run_words(const struct account_flags *flags, const char *const *words, int count)
{
	if (count == 1 && strcmp(words[0], "create") == 0)
		return create(flags);
	if (count == 1 && strcmp(words[0], "list") == 0)
		return admin_print_list(&flags->admin, "service-accounts");
	if (count == 2 && strcmp(words[0], "revoke") == 0 && *words[1])
		return revoke(flags, words[1]);
	return command_fail(EXIT_USAGE,
			    "create, list or revoke ID? see pomerium service-account --help");
}

int command_service_account(int argc, char **argv)
{
	struct account_flags values = { 0 };
	const struct flag table[] = {
		{ "user", "NAME", "create: who it is to the policy", &values.user },
		{ "email", "EMAIL", "create: its e-mail address", &values.email },
		{ "groups", "A,B", "create: groups, separated by commas", &values.groups },
		{ "expires", "TIME", "create: 90d, 12h, 30m; never, if it is left out",
		  &values.expires },
		{ "description", "TEXT", "create: what it is for", &values.description },
		ADMIN_FLAGS(values.admin),
	};
	const char *words[2] = { 0 };
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, words, ARRAY_LEN(words));

	if (count < 0)
		return EXIT_USAGE;
	if (values.admin.help)
		return print_help(table, ARRAY_LEN(table));
	return run_words(&values, words, count);
}
