#include "config/config_idp.h"

#include "config/key_files.h"

/* What has to be set for it. What else a provider is stands in identity/provider.c, which is not below us. */
static const struct {
	const char *name;
	bool needs_url;
	bool is_later;
} providers[] = {
	{ "apple", false, true },   { "auth0", true, false },     { "azure", false, false },
	{ "cognito", true, false }, { "github", false, false },   { "gitlab", false, false },
	{ "google", false, false }, { "hosted", false, true },    { "oidc", true, false },
	{ "okta", true, false },    { "onelogin", false, false }, { "ping", true, false },
};

#define PROVIDERS_TEXT                                                                             \
	"local, auth0, azure, cognito, github, gitlab, google, oidc, okta, onelogin, ping"

static void load_url(struct loader *l, const struct text_value *value, bool is_needed,
		     struct position at, struct config *config)
{
	struct value_path path = { .key = STR("idp_provider_url") };
	struct value_path provider = { .key = STR("idp_provider") };
	struct err e = { 0 };
	struct url url;

	if (str_is_empty(value->text)) {
		if (is_needed)
			loader_key_error(l, &provider, at,
					 "needs idp_provider_url: the provider's https://… issuer");
		return;
	}
	if (url_parse(value->text, &url, &e) < 0) {
		loader_value_error(l, &path, value->at, "\"%.*s\": %s", STR_FMT(value->text),
				   e.text);
		return;
	}
	if (url.has_query || url.fragment.len) {
		loader_value_error(l, &path, value->at, "\"%.*s\" must have no query or fragment",
				   STR_FMT(value->text));
		return;
	}
	if (str_equal_nocase(url.scheme, STR("http")))
		loader_value_warning(l, &path, value->at,
				     "is not https: everybody on the way can log in as anybody");
	else if (!str_equal_nocase(url.scheme, STR("https")))
		loader_value_error(l, &path, value->at, "\"%.*s\" must be an https URL",
				   STR_FMT(value->text));
	config->idp.url = arena_copy(&config->arena, value->text);
}

static void load_client(struct loader *l, const struct idp_options *o, struct config *config)
{
	const struct secret_text secret = { "idp_client_secret", &o->client_secret,
					    "idp_client_secret_file", &o->client_secret_file };
	struct value_path path = { .key = STR("idp_provider") };

	if (str_is_empty(o->client_id.text))
		loader_key_error(l, &path, o->provider.at, "needs idp_client_id");
	config->idp.client_id = arena_copy(&config->arena, o->client_id.text);
	config->idp.client_secret = secret_text_load(l, &secret, config);
	config->idp.scopes = list_value_copy(&o->scopes, &config->arena);
}

static void load_request_params(struct loader *l, const struct yaml_node *node,
				struct config *config)
{
	struct value_path path = { .key = STR("idp_request_params") };
	struct config_pair *items;
	size_t count = 0;

	if (!node || node->kind == YAML_NULL)
		return;
	if (node->kind != YAML_MAPPING) {
		loader_value_error(l, &path, node->at, "must be a mapping (name: value)");
		return;
	}
	if (node->count > CONFIG_PARAMS_MAX) {
		loader_value_error(l, &path, node->at, "has more than %d parameters",
				   CONFIG_PARAMS_MAX);
		return;
	}
	items = arena_alloc_array(&config->arena, node->count, sizeof(*items));
	for (size_t i = 0; i < node->count; i++) {
		struct value_path item = { .up = &path, .key = node->pairs[i].written };
		struct text_value value = { 0 };

		if (value_read_text(l, &item, node->pairs[i].value, &value) == 0)
			items[count++] = (struct config_pair){
				arena_copy(&config->arena, node->pairs[i].written),
				arena_copy(&config->arena, value.text)
			};
	}
	config->idp.request_params = (struct config_pairs){ items, count };
}

static void load_sign_out_url(struct loader *l, const struct text_value *value,
			      struct config *config)
{
	struct value_path path = { .key = STR("signout_redirect_url") };
	struct err e = { 0 };
	struct url url;

	if (str_is_empty(value->text))
		return;
	if (url_parse(value->text, &url, &e) < 0)
		loader_value_error(l, &path, value->at, "\"%.*s\": %s", STR_FMT(value->text),
				   e.text);
	else if (!str_equal_nocase(url.scheme, STR("https")) &&
		 !str_equal_nocase(url.scheme, STR("http")))
		loader_value_error(l, &path, value->at, "\"%.*s\" must be a web address",
				   STR_FMT(value->text));
	config->idp.sign_out_url = arena_copy(&config->arena, value->text);
}

static void load_external(struct loader *l, const struct options *options, bool needs_url,
			  struct config *config)
{
	const struct idp_options *o = &options->idp;
	struct value_path path = { .key = STR("idp_provider") };

	config->idp_provider = CONFIG_IDP_EXTERNAL;
	load_url(l, &o->url, needs_url, o->provider.at, config);
	load_client(l, o, config);
	load_request_params(l, o->request_params, config);
	if (str_is_empty(options->authenticate_service_url.text))
		loader_key_error(
			l, &path, o->provider.at,
			"needs authenticate_service_url: https:// and the name under which "
			"browsers reach the login of this gateway");
}

void idp_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct text_value *value = &options->idp.provider;
	const struct bool_value *flag = &options->flags.refresh_session_at_id_token_expiration;
	struct value_path path = { .key = STR("idp_provider") };

	load_sign_out_url(l, &options->idp.sign_out_url, config);
	config->idp.refresh_at_id_token_expiration = !value_is_set(flag->at) || flag->is_true;
	config->idp.provider_name = arena_copy(&config->arena, value->text);
	if (str_is_empty(value->text))
		return;
	if (str_equal(value->text, STR("local"))) {
		config->idp_provider = CONFIG_IDP_LOCAL;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		if (!str_equal(value->text, str_from(providers[i].name)))
			continue;
		if (providers[i].is_later)
			loader_value_error(l, &path, value->at,
					   "\"%s\" is not supported yet (" PROVIDERS_TEXT " are)",
					   providers[i].name);
		else
			load_external(l, options, providers[i].needs_url, config);
		return;
	}
	loader_value_error(l, &path, value->at,
			   "\"%.*s\" is not an identity provider (" PROVIDERS_TEXT " are)",
			   STR_FMT(value->text));
}
