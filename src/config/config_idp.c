/*
 * config_idp.c - everything a login at the provider will need is asked for at load, not at the first login
 */

#include "config/config_idp.h"

#include "config/key_files.h"
#include "config/names.h"

/* What has to be set for it. What else a provider is stands in identity/provider.c, which is not below us. */
static const struct provider_needs {
	const char *name;
	bool needs_url;
	bool is_later;
	bool has_no_openid; /* another protocol, or scopes that cannot be chosen */
} providers[] = {
	{ .name = "apple", .is_later = true },
	{ .name = "auth0", .needs_url = true },
	{ .name = "azure" },
	{ .name = "cognito", .needs_url = true },
	{ .name = "github", .has_no_openid = true },
	{ .name = "gitlab" },
	{ .name = "google" },
	{ .name = "hosted", .is_later = true },
	{ .name = "oidc", .needs_url = true },
	{ .name = "okta", .needs_url = true },
	{ .name = "onelogin", .has_no_openid = true },
	{ .name = "ping", .needs_url = true },
};

#define PROVIDERS_TEXT                                                                             \
	"local, auth0, azure, cognito, github, gitlab, google, oidc, okta, onelogin, ping"

static void load_url(struct loader *l, const struct text_value *value, struct config *config)
{
	struct value_path path = { .key = STR("idp_provider_url") };
	struct url url;

	if (str_is_empty(value->text) || url_check(l, &path, value, URL_WEB, &url) < 0)
		return;
	if (url.has_query || url.fragment.len) {
		loader_value_error(l, &path, value->at, "\"%.*s\" must have no query or fragment",
				   STR_FMT(value->text));
		return;
	}
	if (str_equal_nocase(url.scheme, STR("http")) && !host_is_loopback(url.authority.host))
		loader_value_warning(l, &path, value->at,
				     "is not https: everybody on the way can log in as anybody");
	config->idp.url = arena_copy(&config->arena, value->text);
}

static void load_client(struct loader *l, const struct idp_options *o, struct config *config)
{
	const struct secret_text secret = { "idp_client_secret", &o->client_secret.text,
					    "idp_client_secret_file", &o->client_secret.file };

	config->idp.client_id = arena_copy(&config->arena, o->client_id.text);
	config->idp.client_secret = secret_text_load(l, &secret, config);
}

static void load_scopes(struct loader *l, const struct list_value *scopes,
			const struct provider_needs *provider, struct config *config)
{
	struct value_path path = { .key = STR("idp_scopes") };
	bool has_openid = provider->has_no_openid || !scopes->count;

	for (size_t i = 0; i < scopes->count; i++) {
		struct value_path item = { .up = &path, .index = i };
		struct str scope = scopes->items[i].text;

		if (str_is_empty(str_trim(scope)) || !str_is_printable_ascii(scope))
			loader_value_error(l, &item, scopes->items[i].at, "is not a scope");
		if (str_contains(scope, STR("openid")))
			has_openid = true;
	}
	if (!has_openid)
		loader_value_warning(l, &path, scopes->at,
				     "without openid the provider does not say who logged in");
	config->idp.scopes = list_value_copy(scopes, &config->arena);
}

/* What a parameter of the operator's never replaces. */
static bool is_ours(struct str name)
{
	static const char *const names[] = { "client_id", "redirect_uri", "response_type",
					     "scope",     "state",        "nonce" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal(name, str_from(names[i])))
			return true;
	return str_starts_with(name, STR("code_challenge"));
}

/* Names as they are written: to a provider their case may matter. */
static void load_request_params(struct loader *l, const struct map_value *map,
				struct config *config)
{
	struct value_path path = { .key = STR("idp_request_params") };
	struct config_pair *items;

	if (map->count > CONFIG_PARAMS_MAX) {
		loader_value_error(l, &path, map->at, "has more than %d parameters",
				   CONFIG_PARAMS_MAX);
		return;
	}
	if (!map->count)
		return;
	items = arena_alloc_array(&config->arena, map->count, sizeof(*items));
	for (size_t i = 0; i < map->count; i++) {
		const struct pair_value *pair = &map->items[i];
		struct value_path here = { .up = &path, .key = pair->written };

		if (str_is_empty(pair->written))
			loader_value_error(l, &path, pair->at, "a parameter needs a name");
		else if (is_ours(pair->key))
			loader_key_warning(l, &here, pair->at,
					   "has no effect: the login sets it itself");
		items[i] = (struct config_pair){
			arena_copy(&config->arena, pair->written),
			arena_copy(&config->arena, pair->value.text),
		};
	}
	config->idp.request_params = (struct config_pairs){ items, map->count };
}

static void load_external(struct loader *l, const struct options *options,
			  const struct provider_needs *provider, struct config *config)
{
	const struct idp_options *o = &options->idp;
	struct value_path path = { .key = STR("idp_provider") };

	config->idp_provider = CONFIG_IDP_EXTERNAL;
	if (provider->needs_url && str_is_empty(o->url.text))
		loader_value_error(l, &path, o->provider.at,
				   "%s needs idp_provider_url: the issuer, https://host",
				   provider->name);
	if (str_is_empty(o->client_id.text))
		loader_value_error(l, &path, o->provider.at, "%s needs idp_client_id",
				   provider->name);
	if (str_is_empty(options->authenticate_service_url.text))
		loader_value_error(l, &path, o->provider.at,
				   "%s needs authenticate_service_url: https:// and the name under "
				   "which browsers reach the login of this gateway",
				   provider->name);
	load_url(l, &o->url, config);
	load_client(l, o, config);
	load_scopes(l, &o->scopes, provider, config);
	load_request_params(l, &o->request_params, config);
}

/* Without another provider these do nothing; whoever set them expects a login there. */
static void warn_of_unused(struct loader *l, const struct idp_options *o)
{
	const struct {
		const char *key;
		struct position at;
	} rows[] = {
		{ "idp_provider_url", o->url.at },
		{ "idp_client_id", o->client_id.at },
		{ "idp_client_secret", o->client_secret.text.at },
		{ "idp_client_secret_file", o->client_secret.file.at },
		{ "idp_scopes", o->scopes.at },
		{ "idp_request_params", o->request_params.at },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value_path path = { .key = str_from(rows[i].key) };

		if (value_is_set(rows[i].at))
			loader_key_warning(
				l, &path, rows[i].at,
				"has no effect without an idp_provider other than local");
	}
}

static const struct provider_needs *find_provider(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (str_equal(name, str_from(providers[i].name)))
			return &providers[i];
	return NULL;
}

static void load_provider(struct loader *l, const struct options *options, struct config *config)
{
	const struct text_value *value = &options->idp.provider;
	const struct provider_needs *provider = find_provider(value->text);
	struct value_path path = { .key = STR("idp_provider") };

	if (str_is_empty(value->text) || str_equal(value->text, STR("local"))) {
		warn_of_unused(l, &options->idp);
		config->idp_provider = value->text.len ? CONFIG_IDP_LOCAL : CONFIG_IDP_NONE;
		return;
	}
	if (provider && !provider->is_later) {
		load_external(l, options, provider, config);
		return;
	}
	config->idp_provider =
		CONFIG_IDP_EXTERNAL; /* or more would be reported that is not wrong */
	if (provider)
		loader_value_error(l, &path, value->at,
				   "\"%s\" is not supported yet (" PROVIDERS_TEXT " are)",
				   provider->name);
	else
		loader_value_error(l, &path, value->at,
				   "\"%.*s\" is not an identity provider (" PROVIDERS_TEXT " are)",
				   STR_FMT(value->text));
}

void idp_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct text_value *sign_out = &options->idp.sign_out_url;
	const struct bool_value *flag = &options->flags.refresh_session_at_id_token_expiration;
	struct value_path path = { .key = STR("signout_redirect_url") };
	struct url url;

	config->idp.provider_name = arena_copy(&config->arena, options->idp.provider.text);
	config->idp.refresh_at_id_token_expiration = !value_is_set(flag->at) || flag->is_true;
	if (!str_is_empty(sign_out->text) && url_check(l, &path, sign_out, URL_WEB, &url) == 0)
		config->idp.sign_out_url = arena_copy(&config->arena, sign_out->text);
	load_provider(l, options, config);
}
