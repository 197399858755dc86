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
#include "config/config_client_certificates.h"
#include "config/config_idp.h"
#include "config/config_issuers.h"
#include "config/config_listen.h"
#include "config/config_parts.h"
#include "config/config_users.h"
#include "config/environment.h"
#include "config/key_files.h"
#include "config/options.h"
#include "config/routes.h"
#include "config/yaml.h"

#define COOKIE_EXPIRE_DEFAULT_S (14 * 3600)
#define NS_PER_S                1000000000

static void load_cookie_expire(struct loader *l, const struct options *options,
			       struct config *config)
{
	struct value_path path = { .key = STR("cookie_expire") };
	const struct duration_value *value = &options->cookies.expire;

	config->cookies.expire_s = COOKIE_EXPIRE_DEFAULT_S;
	if (!value_is_set(value->at))
		return;
	if (value->ns < NS_PER_S) {
		loader_value_error(l, &path, value->at,
				   "must be at least 1s (a bare number counts nanoseconds)");
		return;
	}
	config->cookies.expire_s = value->ns / NS_PER_S;
}

static void load_authority(struct loader *l, const struct options *options, struct config *config)
{
	config->tls.authority_pem = authority_load(l, options, config);
}

/* In this order: each may look at what those before it made. */
static void (*const steps[])(struct loader *l, const struct options *options,
			     struct config *config) = {
	listen_load,
	limits_load,
	timeouts_load,
	authenticate_url_load,
	idp_load,
	issuers_load,
	local_users_load,
	load_cookie_expire,
	redirect_whitelist_load,
	logs_load,
	secrets_load,
	certificates_load,
	load_authority,
	client_certificates_load,
	assertion_load,
	cookies_load,
	storage_load,
	operator_load,
	metrics_load,
	routes_load,
};

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
	config->timeouts = (struct config_timeouts){
		.read_ms = 30000,
		.idle_ms = 300000,
		.drain_ms = 60000,
	};
	config->listen.matches_any_port = true;
	config->tls.client_certificates.max_verify_depth = 1;
	config->operator.tells_systemd = true;
	config->logs.level = LOG_INFO;
	config->logs.has_access_lines = true;
	config->watches_files = true;
	config->lists_routes = true;
	return config;
}

/* What was read, until the configuration has its copies. */
struct material {
	struct yaml *yaml;
	struct environment environment;
	struct arena scratch;
};

static void material_done(struct material *m)
{
	yaml_free(m->yaml);
	environment_done(&m->environment);
	arena_done(&m->scratch);
}

static void build(struct config *config, const struct yaml_node *root, const char *file,
		  struct loader *l)
{
	struct options options = { .file = file };

	if (root)
		schema_load(l, NULL, root, &options_schema, &options);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		steps[i](l, &options, config);
}

/* NULL if the text is no tree. file_name may be NULL, and variables too. */
static struct config *read_text(struct str text, const char *file_name,
				const char *const *variables, struct report *report)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(material_done) struct material m = {
		.environment = { .names = &config->arena, .report = report },
	};
	const char *name = file_name ? arena_copy_string(&config->arena, str_from(file_name))
				     : NULL;
	struct loader l = { .report = report, .arena = &m.scratch };
	const struct yaml_node *root;

	m.environment.nodes = &m.scratch;
	if (yaml_parse(text, name, is_json(name) ? YAML_FORM_JSON : YAML_FORM_YAML, &m.yaml,
		       report) < 0)
		return NULL;
	root = yaml_root(m.yaml);
	if (variables)
		root = environment_overlay(&m.environment, variables, root);
	build(config, root, name, &l);
	return TAKE(config);
}

int config_parse(struct str text, const char *file_name, struct config **ret, struct report *report,
		 struct err *e)
{
	_cleanup_(config_freep) struct config *config = NULL;

	if (text.len > CONFIG_FILE_MAX)
		return err_set(e, ERR_LIMIT, "%s is larger than %u bytes", file_name,
			       CONFIG_FILE_MAX);
	config = read_text(text, file_name, NULL, report);
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

/* Without a file there is nothing to read, and nothing wrong. */
static int read_file(const char *path, struct buf *text, struct report *report)
{
	struct err e = { 0 };

	if (!path)
		return 0;
	report_add_file(report, path);
	if (check_extension(path, &e) < 0 || file_read(path, text, &e) < 0) {
		report_add(report, REPORT_ERROR, (struct position){ 0 }, "%s", e.text);
		return -1;
	}
	return 0;
}

struct config *config_read(const struct config_source *source, struct report *report)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct config *config = NULL;

	if (read_file(source->path, &text, report) == 0)
		config = read_text(buf_view(&text), source->path, source->environment, report);
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
