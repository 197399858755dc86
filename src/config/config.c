/*
 * config.c - file, tree, options, checks, configuration
 *
 * Every step goes on after an error, so that all problems are told at once; the configuration is given only
 * if there was none. The tree and what was read from it are freed before that: the configuration
 * keeps copies.
 */

#include "config/config.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/config_idp.h"
#include "config/config_issuers.h"
#include "config/config_parts.h"
#include "config/key_files.h"
#include "config/options.h"
#include "config/routes.h"
#include "config/users.h"
#include "config/yaml.h"

#define COOKIE_EXPIRE_DEFAULT_S (14 * 3600)
#define NS_PER_S                1000000000

/* What the steps share. */
struct build {
	struct loader loader;
	struct options options;
	struct config *config;
	struct arena scratch;
};

static void load_address(struct build *b)
{
	struct value_path path = { .key = STR("address") };
	const struct text_value *value = &b->options.address;
	struct str text = str_is_empty(value->text) ? STR(":443") : value->text;
	struct err e = { 0 };

	/* without a port: 443 */
	if (str_find(text, ':') == text.len || str_ends_with(text, STR("]")))
		text = arena_printf(&b->scratch, "%.*s:443", STR_FMT(text));
	if (addr_parse_listen(text, &b->config->listen.address, &e) < 0)
		loader_value_error(&b->loader, &path, value->at, "%s", e.text);
}

static void load_workers(struct build *b)
{
	struct value_path path = { .key = STR("workers") };
	const struct number_value *value = &b->options.workers;

	if (value->number > CONFIG_WORKERS_MAX)
		loader_value_error(&b->loader, &path, value->at, "must not be more than %d",
				   CONFIG_WORKERS_MAX);
	else
		b->config->listen.workers = (uint32_t)value->number;
}

static void load_authenticate_url(struct build *b)
{
	struct value_path path = { .key = STR("authenticate_service_url") };
	const struct text_value *value = &b->options.authenticate_service_url;
	struct url url;
	struct err e = { 0 };

	if (str_is_empty(value->text))
		return;
	if (url_parse(value->text, &url, &e) < 0) {
		loader_value_error(&b->loader, &path, value->at, "\"%.*s\": %s",
				   STR_FMT(value->text), e.text);
		return;
	}
	bool has_path = url.path.len && !str_equal(url.path, STR("/"));
	if (!str_equal_nocase(url.scheme, STR("https")) || has_path || url.has_query ||
	    url.fragment.len) {
		loader_value_error(&b->loader, &path, value->at,
				   "\"%.*s\" must be https://host without a path",
				   STR_FMT(value->text));
		return;
	}
	b->config->authenticate_service_url = arena_printf(&b->config->arena, "https://%.*s",
							   STR_FMT(url.authority.text));
}

static void load_idp(struct build *b)
{
	idp_load(&b->loader, &b->options, b->config);
	issuers_load(&b->loader, &b->options, b->config);
}

static void load_users_file(struct build *b, struct users *users)
{
	const struct text_value *value = &b->options.local_users_file;
	struct value_path path = { .key = STR("local_users_file") };
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct err e = { 0 };

	if (str_is_empty(value->text))
		return;
	const char *name = arena_copy_string(&b->config->arena, value->text);
	if (file_read(name, &text, &e) < 0)
		loader_value_error(&b->loader, &path, value->at, "%s", e.text);
	else
		(void)users_add_file(users, buf_view(&text), name); /* reported */
	buf_done_secret(&text);
}

static void load_users(struct build *b)
{
	struct value_path list = { .key = STR("local_users") };
	struct value_path provider = { .key = STR("idp_provider") };
	struct config *config = b->config;
	struct users users;

	users_init(&users, &b->loader, &config->arena);
	users_add_records(&users, &list, &b->options.local_users);
	load_users_file(b, &users);
	if (users.count) {
		struct config_user *copy = arena_alloc_array(&config->arena, users.count,
							     sizeof(*copy));

		memcpy(copy, users.items, users.count * sizeof(*copy));
		config->users.items = copy;
		config->users.count = users.count;
	}
	if (config->idp_provider == CONFIG_IDP_LOCAL && !users.count)
		loader_value_warning(&b->loader, &provider, b->options.idp.provider.at,
				     "there are no users in local_users or local_users_file");
	users_done(&users);
}

static void load_cookie_expire(struct build *b)
{
	struct value_path path = { .key = STR("cookie_expire") };
	const struct duration_value *value = &b->options.cookies.expire;

	b->config->cookies.expire_s = COOKIE_EXPIRE_DEFAULT_S;
	if (!value_is_set(value->at))
		return;
	if (value->ns < NS_PER_S) {
		loader_value_error(&b->loader, &path, value->at,
				   "must be at least 1s (a bare number counts nanoseconds)");
		return;
	}
	b->config->cookies.expire_s = value->ns / NS_PER_S;
}

static void load_log_level(struct build *b)
{
	struct value_path path = { .key = STR("log_level") };
	const struct text_value *value = &b->options.log_level;

	b->config->logs.level = LOG_INFO;
	if (!str_is_empty(value->text) && !log_level_parse(value->text, &b->config->logs.level))
		loader_value_error(&b->loader, &path, value->at,
				   "\"%.*s\" is not a log level (debug, info, warn, error)",
				   STR_FMT(value->text));
}

static void load_redirect_whitelist(struct build *b)
{
	struct arena *arena = &b->config->arena;
	const struct list_value *value = &b->options.redirect_whitelist;
	size_t count = value_is_set(value->at) ? value->count : 1;

	if (!count)
		return;
	struct str *items = arena_alloc_array(arena, count, sizeof(*items));
	items[0] = STR("localhost");
	for (size_t i = 0; i < value->count; i++)
		items[i] = arena_copy(arena, value->items[i].text);
	b->config->redirect_whitelist = (struct config_list){ .items = items, .count = count };
}

static void build_config(struct build *b, const struct yaml_node *root)
{
	static void (*const steps[])(struct build *) = {
		load_address, load_workers,       load_authenticate_url,   load_idp,
		load_users,   load_cookie_expire, load_redirect_whitelist, load_log_level,
	};

	if (root)
		schema_load(&b->loader, NULL, root, &options_schema, &b->options);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		steps[i](b);
	secrets_load(&b->loader, &b->options, b->config);
	certificates_load(&b->loader, &b->options, b->config);
	b->config->tls.authority_pem = authority_load(&b->loader, &b->options, b->config);
	assertion_load(&b->loader, &b->options, b->config);
	cookies_load(&b->loader, &b->options, b->config);
	storage_load(&b->loader, &b->options, b->config);
	operator_load(&b->loader, &b->options, b->config);
	routes_load(&b->loader, &b->options, b->config);
}

static int summarize(const struct report *report, struct err *e)
{
	const char *first = "the configuration is not valid";
	size_t others = report->error_count ? report->error_count - 1 : 0;

	for (size_t i = 0; i < report->count; i++) {
		if (report->problems[i].severity != REPORT_ERROR)
			continue;
		first = report->problems[i].text;
		break;
	}
	if (!others)
		return err_set(e, ERR_CONFIG, "%s", first);
	return err_set(e, ERR_CONFIG, "%.*s (and %zu more)", ERR_TEXT_MAX - 40, first, others);
}

static bool is_json(const char *file_name)
{
	return str_ends_with(str_from(file_name), STR(".json"));
}

/* What no setting says. */
static struct config *config_new(void)
{
	struct config *config = mem_alloc(sizeof(*config));

	config->limits = (struct config_limits){
		.max_tunnels = UINT64_MAX,
		.max_connections = UINT64_MAX,
		.max_handshakes = UINT64_MAX,
	};
	config->timeouts = (struct config_timeouts){ .read_ms = 30000, .idle_ms = 300000 };
	config->listen.matches_any_port = true;
	config->tls.client_certificates.max_verify_depth = 1;
	config->operator.tells_systemd = true;
	config->logs.has_access_lines = true;
	config->watches_files = true;
	return config;
}

/* NULL if the text is no tree. */
static struct config *read_text(struct str text, const char *file_name, struct report *report)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(yaml_freep) struct yaml *yaml = NULL;
	const char *name = arena_copy_string(&config->arena, str_from(file_name));
	struct build b = { .config = config };

	b.options.file = name;
	b.loader = (struct loader){ .report = report, .arena = &b.scratch };
	if (yaml_parse(text, name, is_json(name) ? YAML_FORM_JSON : YAML_FORM_YAML, &yaml, report) <
	    0)
		return NULL;
	build_config(&b, yaml_root(yaml));
	arena_done(&b.scratch);
	return TAKE(config);
}

int config_parse(struct str text, const char *file_name, struct config **ret, struct report *report,
		 struct err *e)
{
	_cleanup_(config_freep) struct config *config = NULL;

	if (text.len > CONFIG_FILE_MAX)
		return err_set(e, ERR_LIMIT, "%s is larger than %u bytes", file_name,
			       CONFIG_FILE_MAX);
	config = read_text(text, file_name, report);
	if (report->error_count)
		return summarize(report, e);
	*ret = TAKE(config);
	return 0;
}

static int check_extension(const char *path, struct err *e)
{
	static const char *const known[] = { ".yaml", ".yml", ".json" };
	struct str name = str_from(path);

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_ends_with(name, str_from(known[i])))
			return 0;
	if (str_ends_with(name, STR(".toml")))
		return err_set(e, ERR_CONFIG, "%s: TOML is not supported; use YAML or JSON", path);
	return err_set(e, ERR_CONFIG, "%s: the name must end in .yaml, .yml or .json", path);
}

struct config *config_read(const struct config_source *source, struct report *report)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct config *config = NULL;
	struct err failure = { 0 };

	report_add_file(report, source->path);
	if (check_extension(source->path, &failure) < 0 ||
	    file_read(source->path, &text, &failure) < 0)
		report_add(report, REPORT_ERROR, (struct position){ 0 }, "%s", failure.text);
	else
		config = read_text(buf_view(&text), source->path, report);
	buf_done_secret(&text);
	return config;
}

int config_load(const char *path, struct config **ret, struct report *report, struct err *e)
{
	_cleanup_(config_freep) struct config *config = config_read(
		&(struct config_source){ .path = path }, report);

	if (report->error_count)
		return summarize(report, e);
	*ret = TAKE(config);
	return 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	config_secrets_wipe(config);
	arena_done(&config->arena);
	mem_free(config);
}
