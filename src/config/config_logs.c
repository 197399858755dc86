/*
 * config_logs.c - what is logged: levels, fields, the audit file
 */

#include "config/config_listen.h"

#include "base/mem.h"
#include "config/names.h"

static const char *const access_fields[] = {
	"authority",
	"client-certificate",
	"cluster-stat-name",
	"duration",
	"forwarded-for",
	"ip",
	"method",
	"path",
	"query",
	"referer",
	"request-id",
	"response-code",
	"response-code-details",
	"size",
	"upstream-cluster",
	"user-agent",
};

static const char *const authorize_fields[] = {
	"body",
	"check-request-id",
	"cluster-stat-name",
	"email",
	"envoy-route-checksum",
	"envoy-route-id",
	"headers",
	"host",
	"id-token",
	"id-token-claims",
	"impersonate-email",
	"impersonate-session-id",
	"impersonate-user-id",
	"ip",
	"mcp-method",
	"mcp-tool",
	"mcp-tool-parameters",
	"method",
	"path",
	"query",
	"removed-groups-count",
	"request-id",
	"route-checksum",
	"route-id",
	"service-account-id",
	"session-id",
	"user",
};

static bool level_read(struct loader *l, const char *key, const struct text_value *value,
		       enum log_level *level)
{
	struct value_path path = { .key = str_from(key) };
	_cleanup_(mem_freep) char *lower = str_copy_lower(value->text);

	if (str_is_empty(value->text))
		return false;
	if (log_level_parse(str_from(lower), level))
		return true;
	loader_value_error(l, &path, value->at,
			   "\"%.*s\" is not a log level (trace, debug, info, warn, error, fatal, "
			   "off)",
			   STR_FMT(value->text));
	return false;
}

static bool is_field(struct str name, const struct words *fields)
{
	struct str prefix = STR("headers.");

	if (str_starts_with(name, prefix))
		return is_token(str_from_pos(name, prefix.len));
	for (size_t i = 0; i < fields->count; i++)
		if (str_equal(name, str_from(fields->names[i])))
			return true;
	return false;
}

/* What nobody knows is left out. */
static struct config_list read_fields(struct loader *l, const char *key,
				      const struct list_value *list, const struct words *fields,
				      struct config *config)
{
	struct value_path path = { .key = str_from(key) };
	struct str *items;
	size_t count = 0;

	if (!list->count)
		return (struct config_list){ 0 };
	items = arena_alloc_array(&config->arena, list->count, sizeof(*items));
	for (size_t i = 0; i < list->count; i++) {
		struct value_path item = { .up = &path, .index = i };
		struct str name = list->items[i].text;

		if (is_field(name, fields))
			items[count++] = arena_copy(&config->arena, name);
		else
			loader_value_warning(l, &item, list->items[i].at,
					     "\"%.*s\" is not a field and is left out",
					     STR_FMT(name));
	}
	return (struct config_list){ items, count };
}

static void load_audit(struct loader *l, const struct log_options *o, struct config *config)
{
	static const char *const names[] = { "block", "drop" };
	struct value_path path = { .key = STR("audit_overflow") };
	size_t index = 0;

	(void)word_read(l, &path, &o->audit_overflow, &(struct words){ names, ARRAY_LEN(names) },
			&index); /* unset or reported: block */
	config->logs.audit_may_drop = index == 1;
	config->logs.audit_file = arena_copy(&config->arena, o->audit_file.text);
}

void logs_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct words access = { access_fields, ARRAY_LEN(access_fields) };
	const struct words authorize = { authorize_fields, ARRAY_LEN(authorize_fields) };
	const struct log_options *o = &options->logs;
	struct config_logs *logs = &config->logs;
	enum log_level proxy_level;

	(void)level_read(l, "log_level", &o->level, &logs->level); /* or as it was */
	proxy_level = logs->level;
	(void)level_read(l, "proxy_log_level", &o->proxy_level, &proxy_level); /* or that */
	logs->has_access_lines = proxy_level <= LOG_INFO;
	logs->access_fields = read_fields(l, "access_log_fields", &o->access_fields, &access,
					  config);
	logs->authorize_fields = read_fields(l, "authorize_log_fields", &o->authorize_fields,
					     &authorize, config);
	load_audit(l, o, config);
}
