#include "config/config_parts.h"

#include "base/mem.h"
#include "config/key_files.h"
#include "config/names.h"

#define HEALTH_ADDRESS_DEFAULT STR("127.0.0.1:28080")
#define SOCKET_PATH_MAX        107 /* what the kernel takes */
#define COOKIE_NAME_MAX        128 /* others are made from it */

static void load_same_site(struct loader *l, const struct text_value *value, struct config *config)
{
	static const char *const names[] = { "Lax", "Strict", "None" };
	struct value_path path = { .key = STR("cookie_same_site") };

	if (str_is_empty(value->text))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_equal_nocase(value->text, str_from(names[i]))) {
			config->cookies.same_site = str_from(names[i]);
			return;
		}
	}
	loader_value_error(l, &path, value->at, "\"%.*s\" is not one of lax, strict, none",
			   STR_FMT(value->text));
}

static void load_domain(struct loader *l, const struct text_value *value, struct config *config)
{
	struct value_path path = { .key = STR("cookie_domain") };
	struct str domain = value->text;
	struct authority host;

	if (str_is_empty(domain))
		return;
	if (str_starts_with(domain, STR(".")))
		domain = str_from_pos(domain, 1);
	if (authority_parse(domain, false, &host, NULL) < 0 || host.port || host.is_ip6_literal)
		loader_value_error(l, &path, value->at, "\"%.*s\" is not a domain name",
				   STR_FMT(value->text));
	config->cookies.domain = arena_copy(&config->arena, domain);
}

void cookies_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct cookie_options *o = &options->cookies;
	struct value_path path = { .key = STR("cookie_name") };

	config->cookies.name = str_is_empty(o->name.text)
				       ? STR("_pomerium")
				       : arena_copy(&config->arena, o->name.text);
	if (config->cookies.name.len > COOKIE_NAME_MAX)
		loader_value_error(l, &path, o->name.at, "is longer than %d bytes",
				   COOKIE_NAME_MAX);
	else if (!is_token(config->cookies.name))
		loader_value_error(l, &path, o->name.at, "\"%.*s\" cannot be the name of a cookie",
				   STR_FMT(o->name.text));
	config->cookies.http_only = !value_is_set(o->http_only.at) || o->http_only.is_true;
	load_domain(l, &o->domain, config);
	load_same_site(l, &o->same_site, config);
}

static bool read_storage_type(struct str text, enum config_storage_type *ret)
{
	static const struct {
		const char *name;
		enum config_storage_type type;
	} rows[] = {
		{ "", CONFIG_STORAGE_FILE },
		{ "file", CONFIG_STORAGE_FILE },
		{ "sqlite", CONFIG_STORAGE_FILE },
		{ "memory", CONFIG_STORAGE_MEMORY },
		{ "postgres", CONFIG_STORAGE_POSTGRES },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (str_equal(text, str_from(rows[i].name))) {
			*ret = rows[i].type;
			return true;
		}
	}
	return false;
}

/* A directory: file:///var/lib/x, or the path alone. The text may be a password that was meant for another type. */
static struct str read_directory(struct loader *l, const struct value_path *path,
				 struct position at, struct str text)
{
	struct str prefix = STR("file://");
	struct str directory = text;

	if (str_starts_with(text, prefix))
		directory = str_from_pos(text, prefix.len);
	bool is_path = str_starts_with(directory, STR("/")) || directory.len == text.len;
	if (!is_path || str_contains(directory, STR("://")))
		loader_value_error(l, path, at,
				   "is not a directory (a path, or file:// and an absolute path)");
	return directory;
}

static void check_postgres(struct loader *l, const struct value_path *path, struct position at,
			   struct str text)
{
	bool is_url = str_starts_with(text, STR("postgres://")) ||
		      str_starts_with(text, STR("postgresql://"));

	if (!is_url && str_find(text, '=') == text.len)
		loader_value_error(l, path, at,
				   "is neither postgres://user@host/database nor a list of "
				   "key=value");
}

static struct str read_connection(struct loader *l, const struct storage_options *o,
				  enum config_storage_type type, struct str text)
{
	bool is_from_file = !str_is_empty(o->connection.file.text);
	struct value_path path = {
		.key = is_from_file ? STR("databroker_storage_connection_string_file")
				    : STR("databroker_storage_connection_string"),
	};
	struct position at = is_from_file ? o->connection.file.at : o->connection.text.at;

	if (str_is_empty(text))
		return text;
	if (str_find(text, '\0') < text.len) /* only a file can hold one */
		loader_value_error(l, &path, at, "must not contain a NUL byte");
	switch (type) {
	case CONFIG_STORAGE_MEMORY:
		loader_key_warning(l, &path, at, "has no effect on storage in memory");
		break;
	case CONFIG_STORAGE_FILE:
		return read_directory(l, &path, at, text);
	case CONFIG_STORAGE_POSTGRES:
		check_postgres(l, &path, at, text);
		break;
	}
	return text;
}

void storage_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct storage_options *o = &options->storage;
	const struct secret_text source = { "databroker_storage_connection_string",
					    &o->connection.text,
					    "databroker_storage_connection_string_file",
					    &o->connection.file };
	struct value_path path = { .key = STR("databroker_storage_type") };
	size_t errors_before = l->report->error_count;
	struct str text = str_trim(secret_text_load(l, &source, config));

	if (!read_storage_type(o->type.text, &config->storage.type)) {
		loader_value_error(l, &path, o->type.at,
				   "\"%.*s\" is not a storage type (file, memory, postgres)",
				   STR_FMT(o->type.text));
		return;
	}
	if (l->report->error_count > errors_before)
		return;
	if (config->storage.type == CONFIG_STORAGE_POSTGRES && str_is_empty(text))
		loader_value_error(l, &path, o->type.at,
				   "postgres needs databroker_storage_connection_string: "
				   "postgres://user@host/database or a list of key=value");
	config->storage.connection = read_connection(l, o, config->storage.type, text);
}

static void load_health_address(struct loader *l, const struct text_value *value,
				struct config_operator *operator)
{
	struct value_path path = { .key = STR("health_check_addr") };
	const struct text_value standard = { .text = HEALTH_ADDRESS_DEFAULT, .at = value->at };
	bool is_set = !str_is_empty(value->text);

	operator->has_health_address = is_set;
	(void)address_read(l, &path, is_set ? value : &standard,
			   &operator->health_address); /* reported */
}

void operator_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct text_value *socket = &options->operator.admin_socket;
	struct value_path path = { .key = STR("admin_socket") };

	load_health_address(l, &options->operator.health_check_addr, &config->operator);
	if (socket->text.len > SOCKET_PATH_MAX)
		loader_value_error(l, &path, socket->at, "is longer than %d bytes",
				   SOCKET_PATH_MAX);
	config->operator.tells_systemd = !options->operator.systemd_disabled.is_true;
	config->operator.admin_socket = arena_copy(&config->arena, socket->text);
}

static void load_claims(struct loader *l, const struct map_value *map, struct config *config)
{
	struct value_path path = { .key = STR("jwt_claims_headers") };
	struct config_pair *items;

	if (map->count > CONFIG_CLAIMS_MAX) {
		loader_value_error(l, &path, map->at, "has more than %d claims", CONFIG_CLAIMS_MAX);
		return;
	}
	if (!map->count)
		return;
	items = arena_alloc_array(&config->arena, map->count, sizeof(*items));
	for (size_t i = 0; i < map->count; i++) {
		const struct pair_value *pair = &map->items[i];
		_cleanup_(mem_freep) char *header = str_copy_lower(pair->key);

		if (!is_token(pair->key))
			loader_value_error(l, &path, pair->at, "\"%.*s\" is not a header name",
					   STR_FMT(pair->key));
		if (str_is_empty(pair->value.text))
			loader_value_error(l, &path, pair->at, "\"%.*s\" needs the name of a claim",
					   STR_FMT(pair->key));
		items[i] = (struct config_pair){
			arena_copy(&config->arena, str_from(header)),
			arena_copy(&config->arena, pair->value.text),
		};
	}
	config->assertion.headers = (struct config_pairs){ items, map->count };
}

void assertion_load(struct loader *l, const struct options *options, struct config *config)
{
	static const char *const formats[] = { "hostonly", "uri" };
	const struct text_value *format = &options->assertion.issuer_format;
	struct value_path path = { .key = STR("jwt_issuer_format") };
	size_t index = name_find(formats, ARRAY_LEN(formats), format->text);

	config->assertion.signing_key_pem = signing_key_load(l, options, config);
	config->assertion.has_endpoint = options->flags.pomerium_jwt_endpoint.is_true;
	config->assertion.issuer_is_uri = index == 1;
	if (!str_is_empty(format->text) && index == ARRAY_LEN(formats))
		loader_value_error(l, &path, format->at, "\"%.*s\" is not one of hostonly, uri",
				   STR_FMT(format->text));
	load_claims(l, &options->assertion.headers, config);
}
