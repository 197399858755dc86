#include "config/config_users.h"

#include "base/file.h"
#include "config/users.h"

void authenticate_url_load(struct loader *l, const struct options *options, struct config *config)
{
	struct value_path path = { .key = STR("authenticate_service_url") };
	const struct text_value *value = &options->authenticate_service_url;
	struct url url;
	struct err e = { 0 };

	if (str_is_empty(value->text))
		return;
	if (url_parse(value->text, &url, &e) < 0) {
		loader_value_error(l, &path, value->at, "\"%.*s\": %s", STR_FMT(value->text),
				   e.text);
		return;
	}
	bool has_path = url.path.len && !str_equal(url.path, STR("/"));
	if (!str_equal_nocase(url.scheme, STR("https")) || has_path || url.has_query ||
	    url.fragment.len) {
		loader_value_error(l, &path, value->at,
				   "\"%.*s\" must be https://host without a path",
				   STR_FMT(value->text));
		return;
	}
	config->authenticate_service_url = arena_printf(&config->arena, "https://%.*s",
							STR_FMT(url.authority.text));
}

static void load_file(struct loader *l, const struct text_value *value, struct config *config,
		      struct users *users)
{
	struct value_path path = { .key = STR("local_users_file") };
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct err e = { 0 };

	if (str_is_empty(value->text))
		return;
	const char *name = arena_copy_string(&config->arena, value->text);
	report_add_file(l->report, name);
	if (file_read(name, &text, &e) < 0)
		loader_value_error(l, &path, value->at, "%s", e.text);
	else
		(void)users_add_file(users, buf_view(&text), name); /* reported */
	buf_done_secret(&text);
}

void local_users_load(struct loader *l, const struct options *options, struct config *config)
{
	struct value_path list = { .key = STR("local_users") };
	struct value_path provider = { .key = STR("idp_provider") };
	size_t errors_before = l->report->error_count;
	struct users users;

	users_init(&users, l, &config->arena);
	users_add_records(&users, &list, &options->local_users);
	load_file(l, &options->local_users_file, config, &users);
	if (users.count) {
		struct config_user *copy = arena_alloc_array(&config->arena, users.count,
							     sizeof(*copy));

		memcpy(copy, users.items, users.count * sizeof(*copy));
		config->users.items = copy;
		config->users.count = users.count;
	}
	if (config->idp_provider == CONFIG_IDP_LOCAL && !users.count &&
	    l->report->error_count == errors_before)
		loader_value_warning(l, &provider, options->idp.provider.at,
				     "there are no users in local_users or local_users_file");
	users_done(&users);
}

void redirect_whitelist_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct list_value *value = &options->redirect_whitelist;
	size_t count = value_is_set(value->at) ? value->count : 1;

	if (!count)
		return;
	struct str *items = arena_alloc_array(&config->arena, count, sizeof(*items));
	items[0] = STR("localhost");
	for (size_t i = 0; i < value->count; i++)
		items[i] = arena_copy(&config->arena, value->items[i].text);
	config->redirect_whitelist = (struct config_list){ .items = items, .count = count };
}
