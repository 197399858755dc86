/*
 * pomerium user: edits a file of local users, the one local_users_file names.
 */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/users_file.h"
#include "identity/local_users.h"
#include "identity/password.h"
#include "proxy/commands.h"
#include "proxy/password_input.h"

#define GROUPS_MAX 64

struct user_flags {
	const char *file;
	const char *name;
	const char *groups;
	const char *id;
	const char *password_stdin;
	const char *help;
};

struct user_action {
	const char *name;
	const char *usage;
	bool needs_email;
	bool creates_file;
	int (*run)(struct users_file *file, struct str email, const struct user_flags *flags,
		   struct err *e);
};

static int set_password(struct users_file *file, struct config_user *user,
			const struct user_flags *flags, struct err *e)
{
	_cleanup_(mem_free_secretp) char *password = NULL;
	char hash[PASSWORD_HASH_MAX];

	if (password_read(!flags->password_stdin, &password, e) < 0 ||
	    password_hash(str_from(password), hash, e) < 0)
		return -1;
	user->password_hash = arena_copy(&file->arena, str_from(hash));
	return 0;
}

static void set_groups(struct users_file *file, struct config_user *user, const char *list)
{
	struct str rest = str_from(list);
	struct str *items = arena_alloc_array(&file->arena, GROUPS_MAX, sizeof(*items));
	size_t count = 0;
	struct str item;

	while (count < GROUPS_MAX && str_cut(&rest, ',', &item))
		if (!str_is_empty(str_trim(item)))
			items[count++] = arena_copy(&file->arena, str_trim(item));
	user->groups = (struct config_list){ items, count };
}

static struct config_user *find(struct users_file *file, struct str email, struct err *e)
{
	struct config_user *user = users_file_find(file, email);

	if (!user)
		(void)err_set(e, ERR_CONFIG, "there is no user %.*s", STR_FMT(email));
	return user;
}

static int add_user(struct users_file *file, struct str email, const struct user_flags *flags,
		    struct err *e)
{
	struct config_user *user;

	if (!email_is_valid(email))
		return err_set(e, ERR_CONFIG, "\"%.*s\" is not an e-mail address", STR_FMT(email));
	if (users_file_find(file, email))
		return err_set(e, ERR_CONFIG, "there is a user %.*s already", STR_FMT(email));
	user = users_file_add(file);
	user->email = arena_copy(&file->arena, email);
	if (flags->name)
		user->name = arena_copy(&file->arena, str_from(flags->name));
	if (flags->id)
		user->id = arena_copy(&file->arena, str_from(flags->id));
	if (flags->groups)
		set_groups(file, user, flags->groups);
	return set_password(file, user, flags, e);
}

static int change_password(struct users_file *file, struct str email,
			   const struct user_flags *flags, struct err *e)
{
	struct config_user *user = find(file, email, e);

	return user ? set_password(file, user, flags, e) : -1;
}

static int disable_user(struct users_file *file, struct str email, const struct user_flags *flags,
			struct err *e)
{
	struct config_user *user = find(file, email, e);

	(void)flags;
	if (!user)
		return -1;
	user->disabled = true;
	return 0;
}

static int enable_user(struct users_file *file, struct str email, const struct user_flags *flags,
		       struct err *e)
{
	struct config_user *user = find(file, email, e);

	(void)flags;
	if (!user)
		return -1;
	user->disabled = false;
	return 0;
}

static int remove_user(struct users_file *file, struct str email, const struct user_flags *flags,
		       struct err *e)
{
	struct config_user *user = find(file, email, e);

	(void)flags;
	if (!user)
		return -1;
	users_file_remove(file, user);
	return 0;
}

static int list_users(struct users_file *file, struct str email, const struct user_flags *flags,
		      struct err *e)
{
	(void)email;
	(void)flags;
	(void)e;
	for (size_t i = 0; i < file->count; i++) {
		const struct config_user *user = &file->users[i];

		(void)printf("%.*s\t%s\t%.*s\t", STR_FMT(user->email),
			     user->disabled ? "disabled" : "enabled", STR_FMT(user->name));
		for (size_t k = 0; k < user->groups.count; k++)
			(void)printf("%s%.*s", k ? "," : "", STR_FMT(user->groups.items[k]));
		(void)printf("\n");
	}
	return 0;
}

static const struct user_action actions[] = {
	{ "add", "EMAIL", true, true, add_user },
	{ "passwd", "EMAIL", true, false, change_password },
	{ "disable", "EMAIL", true, false, disable_user },
	{ "enable", "EMAIL", true, false, enable_user },
	{ "remove", "EMAIL", true, false, remove_user },
	{ "list", "", false, false, list_users },
};

static int print_help(const struct flag *table, size_t count)
{
	(void)printf("pomerium user - edits the file that local_users_file names\n\n");
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		(void)printf("  pomerium user %s %s--file FILE\n", actions[i].name,
			     actions[i].needs_email ? "EMAIL " : "");
	(void)printf(
		"\nThe password is asked for on the terminal or read from standard input.\n\nFlags:\n");
	flags_print(table, count);
	return 0;
}

static int run_action(const struct user_action *action, const char *email,
		      const struct user_flags *flags)
{
	struct users_file file = { 0 };
	struct err e = { 0 };
	int result = users_file_read(flags->file, action->creates_file, &file, &e);

	if (result == 0)
		result = action->run(&file, str_from(email), flags, &e);
	if (result == 0 && action->needs_email)
		result = users_file_write(flags->file, &file, &e);
	users_file_done(&file);
	return result < 0 ? command_fail(1, "%s", e.text) : 0;
}

int command_user(int argc, char **argv)
{
	struct user_flags values = { 0 };
	const struct flag table[] = {
		{ "file", "FILE", "the YAML file of users", &values.file },
		{ "name", "NAME", "add: the name people know", &values.name },
		{ "groups", "A,B", "add: groups, separated by commas", &values.groups },
		{ "id", "ID", "add: a stable id of your own", &values.id },
		{ "password-stdin", NULL, "do not ask: the first line of standard input",
		  &values.password_stdin },
		{ "help", NULL, "print this", &values.help },
	};
	const char *words[2] = { 0 };
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, words, ARRAY_LEN(words));

	if (count < 0)
		return EXIT_USAGE;
	if (values.help)
		return print_help(table, ARRAY_LEN(table));
	if (count == 0)
		return command_fail(EXIT_USAGE,
				    "what is to be done with the users? see pomerium user --help");
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(words[0], actions[i].name) != 0)
			continue;
		if (actions[i].needs_email != (count == 2))
			return command_fail(EXIT_USAGE, "usage: pomerium user %s %s --file FILE",
					    actions[i].name, actions[i].usage);
		if (!values.file)
			return command_fail(EXIT_USAGE, "--file FILE is missing");
		return run_action(&actions[i], words[1], &values);
	}
	return command_fail(
		EXIT_USAGE,
		"\"%s\" is nothing that can be done with users, see pomerium user --help",
		words[0]);
}
