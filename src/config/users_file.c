/*
 * users_file.c - the file of local users, for the commands that change it
 *
 * Written as YAML whose texts are all in double quotes, as JSON does: nothing in a name can be mistaken for syntax.
 */

#include "config/users_file.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "config/users.h"

#define USERS_FILE_MODE 0600

static int report_to_err(const struct report *report, struct err *e)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->problems[i].severity == REPORT_ERROR)
			return err_set(e, ERR_CONFIG, "%s", report->problems[i].text);
	return err_set(e, ERR_CONFIG, "the file of users is not valid");
}

static int parse(struct users_file *file, const char *path, struct str text, struct err *e)
{
	struct report report = { 0 };
	struct arena scratch = { 0 };
	struct loader l = { .report = &report, .arena = &scratch };
	struct users users;

	users_init(&users, &l, &file->arena);
	int result = users_add_file(&users, text, arena_copy_string(&file->arena, str_from(path)));
	if (result < 0) {
		(void)report_to_err(&report, e);
	} else {
		file->users = TAKE(users.items);
		file->count = users.count;
	}
	users_done(&users);
	arena_done(&scratch);
	report_done(&report);
	return result;
}

int users_file_read(const char *path, bool may_be_missing, struct users_file *ret, struct err *e)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct users_file file = { 0 };

	if (may_be_missing && access(path, F_OK) < 0 && errno == ENOENT) {
		*ret = file;
		return 0;
	}
	int result = file_read(path, &text, e);
	if (result == 0)
		result = parse(&file, path, buf_view(&text), e);
	buf_done_secret(&text);
	if (result < 0) {
		users_file_done(&file);
		return -1;
	}
	*ret = file;
	return 0;
}

static void write_text(struct buf *out, const char *key, struct str value)
{
	struct json_writer json = { .out = out };

	(void)buf_printf(out, "%s: ", key); /* overflow is looked at once, at the end */
	json_text(&json, value);
	(void)buf_append_char(out, '\n');
}

static void write_groups(struct buf *out, const struct config_list *groups)
{
	struct json_writer json = { .out = out };

	(void)buf_append_str(out, STR("  groups: "));
	json_array_begin(&json);
	for (size_t i = 0; i < groups->count; i++)
		json_text(&json, groups->items[i]);
	json_array_end(&json);
	(void)buf_append_char(out, '\n');
}

static void write_user(struct buf *out, const struct config_user *user)
{
	write_text(out, "- email", user->email);
	if (user->name.len)
		write_text(out, "  name", user->name);
	if (user->id.len)
		write_text(out, "  id", user->id);
	if (user->groups.count)
		write_groups(out, &user->groups);
	if (user->password_hash.len)
		write_text(out, "  password_hash", user->password_hash);
	if (user->disabled)
		(void)buf_append_str(out, STR("  disabled: true\n"));
}

int users_file_write(const char *path, const struct users_file *file, struct err *e)
{
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	int result;

	if (!file->count)
		(void)buf_append_str(&out, STR("[]\n"));
	for (size_t i = 0; i < file->count; i++)
		write_user(&out, &file->users[i]);
	if (out.is_overflown)
		result = err_set(e, ERR_LIMIT, "%s would be larger than %u bytes", path,
				 CONFIG_FILE_MAX);
	else
		result = file_replace(path, buf_view(&out), USERS_FILE_MODE, e);
	buf_done_secret(&out);
	return result;
}

void users_file_done(struct users_file *file)
{
	mem_free(file->users);
	arena_done(&file->arena);
	*file = (struct users_file){ 0 };
}

struct config_user *users_file_find(struct users_file *file, struct str email)
{
	for (size_t i = 0; i < file->count; i++)
		if (str_equal_nocase(file->users[i].email, email))
			return &file->users[i];
	return NULL;
}

struct config_user *users_file_add(struct users_file *file)
{
	file->users = mem_resize(file->users, file->count + 1, sizeof(*file->users));
	file->users[file->count] = (struct config_user){ 0 };
	return &file->users[file->count++];
}

void users_file_remove(struct users_file *file, struct config_user *user)
{
	size_t at = (size_t)(user - file->users);

	memmove(user, user + 1, (file->count - at - 1) * sizeof(*user));
	file->count--;
}
