#include "config/config_parts.h"

#include "config/key_files.h"

#define HEALTH_ADDRESS_DEFAULT STR("127.0.0.1:28080")

/* RFC 9110 token: what a cookie may be called. */
static bool is_token(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool is_digit = c >= '0' && c <= '9';

		if (!is_letter && !is_digit &&
		    str_find(STR("!#$%&'*+-.^_`|~"), c) == strlen("!#$%&'*+-.^_`|~"))
			return false;
	}
	return text.len > 0;
}

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
	if (!is_token(config->cookies.name))
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

void storage_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct storage_options *o = &options->storage;
	const struct secret_text source = { "databroker_storage_connection_string", &o->connection,
					    "databroker_storage_connection_string_file",
					    &o->connection_file };
	struct value_path path = { .key = STR("databroker_storage_type") };
	struct value_path where = { .key = STR("databroker_storage_connection_string") };
	struct str connection = str_trim(secret_text_load(l, &source, config));

	if (!read_storage_type(o->type.text, &config->storage.type))
		loader_value_error(l, &path, o->type.at,
				   "\"%.*s\" is not a storage type (file, memory, postgres)",
				   STR_FMT(o->type.text));
	if (config->storage.type == CONFIG_STORAGE_FILE &&
	    str_starts_with(connection, STR("file://")))
		connection = str_from_pos(connection, strlen("file://"));
	if (config->storage.type == CONFIG_STORAGE_POSTGRES && str_is_empty(connection))
		loader_key_error(
			l, &path, o->type.at,
			"needs databroker_storage_connection_string: what libpq takes, such "
			"as postgres://user@host/database");
	if (str_find(connection, '\0') < connection.len)
		loader_value_error(l, &where, o->connection.at, "must not contain NUL");
	config->storage.connection = connection;
}

void operator_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct text_value *health = &options->health_check_addr;
	struct value_path path = { .key = STR("health_check_addr") };
	struct str text = str_is_empty(health->text) ? HEALTH_ADDRESS_DEFAULT : health->text;
	struct err e = { 0 };

	config->operator.admin_socket = arena_copy(&config->arena, options->admin_socket.text);
	config->operator.has_health_address = !str_is_empty(health->text);
	if (addr_parse_listen(text, &config->operator.health_address, &e) < 0)
		loader_value_error(l, &path, health->at, "%s", e.text);
	else if (addr_port(&config->operator.health_address) == 0)
		loader_value_error(l, &path, health->at, "needs a port above 0");
}
