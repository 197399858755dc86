/*
 * users.c - what makes an entry of local users acceptable
 */

#include "config/users.h"

#include "base/mem.h"
#include "config/users_file.h"
#include "config/yaml.h"

#define EMAIL_MAX 254

void users_init(struct users *u, struct loader *l, struct arena *arena)
{
	*u = (struct users){ .loader = l, .arena = arena };
	map_init(&u->emails);
	map_init(&u->ids);
}

void users_done(struct users *u)
{
	map_done(&u->emails);
	map_done(&u->ids);
	mem_free(u->items);
	u->items = NULL;
	u->count = 0;
}

static bool is_email(struct str s)
{
	size_t at = str_find(s, '@');

	if (s.len > EMAIL_MAX || at == 0 || at + 1 >= s.len || str_find_last(s, '@') != at)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] <= ' ' || s.at[i] == 0x7f)
			return false;
	return true;
}

/* Only what can be seen without a crypt library: the method's prefix and something behind it. */
static bool looks_hashed(struct str s)
{
	static const char *const prefixes[] = { "$y$", "$2b$", "$2a$", "$2y$", "$6$" };

	if (!str_is_printable_ascii(s) || str_find(s, ' ') < s.len)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts_with(s, str_from(prefixes[i])) && s.len > 2 * strlen(prefixes[i]))
			return true;
	return false;
}

static void check_email(struct users *u, const struct value_path *path,
			const struct user_options *options)
{
	struct value_path here = { .up = path, .key = STR("email") };
	struct str email = options->email.text;

	if (!value_is_set(options->email.at)) {
		loader_key_error(u->loader, path, options->at, "needs an email");
		return;
	}
	if (!is_email(email)) {
		loader_value_error(u->loader, &here, options->email.at,
				   "\"%.*s\" is not an e-mail address", STR_FMT(email));
		return;
	}
	_cleanup_(mem_freep) char *lower = str_copy_lower(email);
	const struct position *first = map_get(&u->emails, str_from(lower));

	if (first) {
		loader_value_error(u->loader, &here, options->email.at,
				   "%.*s is there already, in %s:%u", STR_FMT(email),
				   first->file ? first->file : "", first->line);
		return;
	}
	struct position *at = arena_alloc(u->arena, sizeof(*at));
	*at = options->email.at;
	(void)map_put(&u->emails, str_from(lower), at);
}

static void check_id(struct users *u, const struct value_path *path,
		     const struct user_options *options)
{
	struct value_path here = { .up = path, .key = STR("id") };
	struct str id = options->id.text;

	if (str_is_empty(id))
		return;
	const struct position *first = map_get(&u->ids, id);

	if (first) {
		loader_value_error(u->loader, &here, options->id.at,
				   "%.*s is the id of another user, in %s:%u", STR_FMT(id),
				   first->file ? first->file : "", first->line);
		return;
	}
	struct position *at = arena_alloc(u->arena, sizeof(*at));
	*at = options->id.at;
	(void)map_put(&u->ids, id, at);
}

static void check_password(struct users *u, const struct value_path *path,
			   const struct user_options *options)
{
	struct value_path here = { .up = path, .key = STR("password_hash") };

	if (!value_is_set(options->password_hash.at))
		loader_key_warning(u->loader, path, options->at,
				   "has no password_hash: this user cannot log in");
	else if (!looks_hashed(options->password_hash.text))
		loader_value_error(u->loader, &here, options->password_hash.at,
				   "is not a password hash ($y$, $2b$ or $6$)");
}

static void add_user(struct users *u, const struct value_path *path,
		     const struct user_options *options, struct config_user *ret)
{
	check_email(u, path, options);
	check_id(u, path, options);
	check_password(u, path, options);
	*ret = (struct config_user){
		.at = options->at,
		.email = arena_copy(u->arena, options->email.text),
		.name = arena_copy(u->arena, options->name.text),
		.id = arena_copy(u->arena, options->id.text),
		.password_hash = arena_copy(u->arena, options->password_hash.text),
		.groups = list_value_copy(&options->groups, u->arena),
		.disabled = options->disabled.is_true,
	};
}

void users_add_records(struct users *u, const struct value_path *path,
		       const struct records_value *records)
{
	const struct user_options *options = records->items;

	if (records->count > USERS_MAX - u->count) {
		loader_value_error(u->loader, path, records->at, "there are more than %d users",
				   USERS_MAX);
		return;
	}
	if (!records->count)
		return;
	u->items = mem_resize(u->items, u->count + records->count, sizeof(*u->items));
	for (size_t i = 0; i < records->count; i++) {
		struct value_path item = { .up = path, .index = i };

		size_t errors_before = u->loader->report->error_count;

		/* an element that was not a mapping has been reported */
		if (!value_is_set(options[i].at))
			continue;
		add_user(u, &item, &options[i], &u->items[u->count]);
		if (u->loader->report->error_count == errors_before)
			u->count++; /* nobody else shall stumble over it again */
	}
}

int users_add_file(struct users *u, struct str text, const char *file_name)
{
	struct loader *l = u->loader;
	_cleanup_(yaml_freep) struct yaml *yaml = NULL;
	struct records_value records = { 0 };
	size_t errors_before = l->report->error_count;

	if (yaml_parse(text, file_name, YAML_FORM_YAML, &yaml, l->report) < 0)
		return -1;
	if (yaml_root(yaml)) {
		schema_load_records(l, NULL, yaml_root(yaml), &user_schema, &records);
		users_add_records(u, NULL, &records);
	}
	return l->report->error_count == errors_before ? 0 : -1;
}
