/*
 * config_issuers.c - whose tokens programs may show instead of a session
 *
 * An entry that is wrong keeps its name: routes that refer to it are not told that it is unknown.
 */

#include "config/config_issuers.h"

#include "base/map.h"
#include "config/names.h"

static const char *const algorithms[] = { "RS256", "RS384", "RS512", "PS256", "PS384",
					  "PS512", "ES256", "ES384", "ES512", "EdDSA" };

static const struct str default_algorithms[] = {
	{ "RS256", 5 },
	{ "ES256", 5 },
	{ "EdDSA", 5 },
};

struct issuers {
	struct loader *loader;
	struct config *config;
	struct map urls; /* issuer -> position of the first that has it */
};

static void check_name(struct loader *l, const struct value_path *path,
		       const struct named_record *entry)
{
	if (str_is_empty(entry->name))
		loader_key_error(l, path, entry->at, "needs a name");
	else if (!str_equal(entry->name, entry->written))
		loader_key_error(l, path, entry->at, "must be a name in lower case");
	else if (str_find(entry->name, '/') < entry->name.len || has_blanks(entry->name))
		loader_key_error(l, path, entry->at, "must be a name without / and without blanks");
}

static struct str read_issuer(struct issuers *s, const struct value_path *path,
			      const struct text_value *value, struct position at)
{
	struct value_path here = { .up = path, .key = STR("issuer") };
	struct url url;

	if (str_is_empty(value->text)) {
		loader_key_error(s->loader, path, at, "needs an issuer: https://host");
		return (struct str){ 0 };
	}
	if (url_check(s->loader, &here, value, URL_ISSUER, &url) < 0)
		return (struct str){ 0 };
	const struct position *first = map_get(&s->urls, value->text);
	if (first) {
		loader_value_error(s->loader, &here, value->at,
				   "\"%.*s\" is there already, in line %u", STR_FMT(value->text),
				   first->line);
		return (struct str){ 0 };
	}
	struct position *mine = arena_alloc(s->loader->arena, sizeof(*mine));
	*mine = value->at;
	(void)map_put(&s->urls, value->text, mine);
	return arena_copy(&s->config->arena, value->text);
}

static struct str read_jwks_url(struct issuers *s, const struct value_path *path,
				const struct text_value *value)
{
	struct value_path here = { .up = path, .key = STR("jwks_url") };
	struct url url;

	if (str_is_empty(value->text) || url_check(s->loader, &here, value, URL_KEYS, &url) < 0)
		return (struct str){ 0 };
	return arena_copy(&s->config->arena, value->text);
}

static bool is_algorithm(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (str_equal(name, str_from(algorithms[i])))
			return true;
	return false;
}

static struct config_list read_algorithms(struct issuers *s, const struct value_path *path,
					  const struct list_value *list)
{
	struct value_path here = { .up = path, .key = STR("supported_algs") };

	if (!list->count)
		return (struct config_list){ default_algorithms, ARRAY_LEN(default_algorithms) };
	for (size_t i = 0; i < list->count; i++) {
		struct value_path item = { .up = &here, .index = i };

		if (!is_algorithm(list->items[i].text))
			loader_value_error(s->loader, &item, list->items[i].at,
					   "\"%.*s\" is not one of RS256, RS384, RS512, PS256, "
					   "PS384, PS512, ES256, ES384, ES512, EdDSA",
					   STR_FMT(list->items[i].text));
	}
	return list_value_copy(list, &s->config->arena);
}

static struct config_list read_audiences(struct issuers *s, const struct value_path *path,
					 const struct list_value *list, struct position at)
{
	struct value_path here = { .up = path, .key = STR("audiences") };

	if (!list->count)
		loader_key_error(s->loader, path, at,
				 "needs audiences: whom a token must have been issued for");
	for (size_t i = 0; i < list->count; i++) {
		struct value_path item = { .up = &here, .index = i };

		if (str_is_empty(list->items[i].text))
			loader_value_error(s->loader, &item, list->items[i].at,
					   "must not be empty");
	}
	return list_value_copy(list, &s->config->arena);
}

static struct config_issuer read_entry(struct issuers *s, const struct value_path *path,
				       const struct named_record *entry)
{
	const struct issuer_options *o = entry->record;
	struct value_path here = { .up = path, .key = entry->written };

	if (str_is_empty(here.key))
		here.key = STR("\"\"");
	check_name(s->loader, &here, entry);
	return (struct config_issuer){
		.at = entry->at,
		.name = arena_copy(&s->config->arena, entry->name),
		.issuer = read_issuer(s, &here, &o->issuer, entry->at),
		.jwks_url = read_jwks_url(s, &here, &o->jwks_url),
		.algorithms = read_algorithms(s, &here, &o->supported_algs),
		.audiences = read_audiences(s, &here, &o->audiences, entry->at),
	};
}

static void read_entries(struct issuers *s, const struct named_value *value)
{
	struct value_path path = { .key = STR("identity_providers") };
	struct config_issuer *items;

	if (value->count > CONFIG_ISSUERS_MAX) {
		loader_value_error(s->loader, &path, value->at, "has more than %d entries",
				   CONFIG_ISSUERS_MAX);
		return;
	}
	if (!value->count)
		return;
	items = arena_alloc_array(&s->config->arena, value->count, sizeof(*items));
	for (size_t i = 0; i < value->count; i++)
		items[i] = read_entry(s, &path, &value->items[i]);
	s->config->idp.issuers = items;
	s->config->idp.issuer_count = value->count;
}

static const struct config_list *read_token_audiences(const struct list_value *list,
						      struct arena *arena)
{
	struct config_list *copy;

	if (!value_is_set(list->at))
		return NULL;
	copy = arena_alloc(arena, sizeof(*copy));
	*copy = list_value_copy(list, arena);
	return copy;
}

/* Whether the provider can answer for such tokens. */
static void check_bearer(struct loader *l, const struct value_path *path, struct position at,
			 const struct config *config, enum config_bearer bearer)
{
	switch (bearer) {
	case CONFIG_BEARER_DEFAULT:
	case CONFIG_BEARER_JWT:
		return;
	case CONFIG_BEARER_IDENTITY_TOKEN:
		if (str_equal(config->idp.provider_name, STR("github")))
			loader_value_error(l, path, at, "github issues no identity tokens");
		break;
	case CONFIG_BEARER_ACCESS_TOKEN:
		break;
	}
	if (config->idp_provider != CONFIG_IDP_EXTERNAL)
		loader_value_error(l, path, at, "needs an idp_provider that is not local");
}

void issuers_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct idp_options *o = &options->idp;
	struct value_path path = { .key = STR("bearer_token_format") };
	struct issuers s = { .loader = l, .config = config };

	config->idp.bearer = bearer_read(l, &path, &o->bearer_token_format);
	check_bearer(l, &path, o->bearer_token_format.at, config, config->idp.bearer);
	config->idp.access_token_audiences = read_token_audiences(&o->access_token_audiences,
								  &config->arena);
	map_init(&s.urls);
	read_entries(&s, &o->issuers);
	map_done(&s.urls);
}

/* A client of a route's own is one of the global provider. */
static void check_client(struct loader *l, const struct value_path *path,
			 const struct route_idp_options *o, const struct config *config)
{
	bool has_id = !str_is_empty(o->client_id.text);
	bool has_secret = !str_is_empty(o->client_secret.text);
	struct value_path here = { .up = path,
				   .key = has_id ? STR("idp_client_id")
						 : STR("idp_client_secret") };
	struct position at = has_id ? o->client_id.at : o->client_secret.at;

	if (!has_id && !has_secret)
		return;
	if (has_id != has_secret)
		loader_key_error(l, &here, at, "needs %s too",
				 has_id ? "idp_client_secret" : "idp_client_id");
	else if (config->idp_provider != CONFIG_IDP_EXTERNAL)
		loader_key_error(l, &here, at,
				 "needs an idp_provider that is not local: it is a client of that");
}

static const struct config_issuer *find_issuer(const struct config *config, struct str name)
{
	for (size_t i = 0; i < config->idp.issuer_count; i++)
		if (str_equal(config->idp.issuers[i].name, name))
			return &config->idp.issuers[i];
	return NULL;
}

static void read_route_issuers(struct loader *l, const struct value_path *path,
			       const struct list_value *list, struct config *config,
			       struct config_route_idp *ret)
{
	struct value_path here = { .up = path, .key = STR("identity_providers") };
	const struct config_issuer **items = arena_alloc_array(&config->arena, list->count,
							       sizeof(const void *));

	for (size_t i = 0; i < list->count; i++) {
		struct value_path item = { .up = &here, .index = i };
		const struct text_value *name = &list->items[i];

		items[i] = find_issuer(config, name->text);
		if (!items[i])
			loader_value_error(l, &item, name->at,
					   "\"%.*s\" is not one of the global identity_providers",
					   STR_FMT(name->text));
	}
	ret->issuers = items;
	ret->issuer_count = list->count;
}

static void check_issuers(struct loader *l, const struct value_path *path,
			  const struct route_options *options, enum config_bearer bearer)
{
	struct value_path list = { .up = path, .key = STR("identity_providers") };
	struct value_path format = { .up = path, .key = STR("bearer_token_format") };
	const struct route_idp_options *o = &options->idp;

	if (o->issuers.count && bearer != CONFIG_BEARER_JWT)
		loader_key_error(l, &list, o->issuers.at, "needs bearer_token_format: jwt");
	if (o->issuers.count || bearer != CONFIG_BEARER_JWT)
		return;
	if (value_is_set(o->bearer_token_format.at))
		loader_value_error(l, &format, o->bearer_token_format.at,
				   "jwt needs identity_providers: the names of those it takes");
	else
		loader_key_error(l, path, options->at,
				 "needs identity_providers, as bearer_token_format is jwt for all "
				 "routes; or a bearer_token_format of its own");
}

void route_read_idp(struct loader *l, const struct value_path *path,
		    const struct route_options *options, struct config *config,
		    struct config_route_idp *ret)
{
	const struct route_idp_options *o = &options->idp;
	struct value_path format = { .up = path, .key = STR("bearer_token_format") };
	struct config_route_idp idp = {
		.client_id = arena_copy(&config->arena, o->client_id.text),
		.client_secret = arena_copy(&config->arena, o->client_secret.text),
		.bearer = config->idp.bearer,
		.access_token_audiences = config->idp.access_token_audiences,
	};

	check_client(l, path, o, config);
	if (value_is_set(o->bearer_token_format.at)) {
		idp.bearer = bearer_read(l, &format, &o->bearer_token_format);
		check_bearer(l, &format, o->bearer_token_format.at, config, idp.bearer);
	}
	if (value_is_set(o->access_token_audiences.at))
		idp.access_token_audiences = read_token_audiences(&o->access_token_audiences,
								  &config->arena);
	check_issuers(l, path, options, idp.bearer);
	if (o->issuers.count)
		read_route_issuers(l, path, &o->issuers, config, &idp);
	*ret = idp;
}
