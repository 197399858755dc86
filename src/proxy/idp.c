#include "proxy/idp.h"

#include "base/codec.h"
#include "jose/mac.h"

#define SCOPES_MAX (64u * 1024)

/* The secret is not part of it: a new secret for the same client changes nothing for who is logged in. */
static void make_id(struct idp *idp)
{
	const struct oidc_client *client = &idp->client;
	const char *name = client->provider ? client->provider->name : "none";
	struct buf text = BUF_INIT(3 * URL_MAX);
	struct buf hex = BUF_INIT(IDP_ID_LEN);
	uint8_t digest[SHA256_SIZE];

	(void)buf_printf(&text, "idp:%s", name);
	if (!str_is_empty(client->client_id))
		(void)buf_printf(&text, "\n%.*s\n%.*s", STR_FMT(client->url),
				 STR_FMT(client->client_id));
	digest_sha256(buf_view(&text), digest);
	(void)hex_encode(&hex, digest, sizeof(digest));
	memcpy(idp->id, hex.data, hex.len);
	buf_done(&text);
	buf_done(&hex);
}

static struct str join_scopes(struct idp_table *t, const struct config_list *scopes)
{
	struct buf text = BUF_INIT(SCOPES_MAX);
	struct str result;

	for (size_t i = 0; i < scopes->count; i++)
		(void)buf_printf(&text, "%s%.*s", i ? " " : "", STR_FMT(scopes->items[i]));
	result = arena_copy(&t->arena, buf_view(&text));
	buf_done(&text);
	return result;
}

static void set_params(struct idp_table *t, struct oidc_client *client,
		       const struct config_pairs *configured)
{
	size_t capacity = configured->count + PROVIDER_PARAMS_MAX;
	struct query_param *params = arena_alloc_array(&t->arena, capacity, sizeof(*params));
	size_t count = 0;

	for (size_t i = 0; i < configured->count; i++)
		params[count++] = (struct query_param){ configured->items[i].name,
							configured->items[i].value };
	for (size_t i = 0; !configured->count && i < PROVIDER_PARAMS_MAX; i++) {
		const struct provider_param *param = &client->provider->params[i];

		if (param->name)
			params[count++] = (struct query_param){ str_from(param->name),
								str_from(param->value) };
	}
	client->params = params;
	client->param_count = count;
}

static struct idp *make_global(struct idp_table *t, const struct config *config)
{
	const struct config_idp_settings *settings = &config->idp;
	struct idp *idp = arena_alloc(&t->arena, sizeof(*idp));
	const struct provider *provider = provider_find(settings->provider_name);
	struct oidc_client *client = &idp->client;

	client->provider = provider;
	if (!provider)
		return idp;
	client->url = settings->url;
	if (str_is_empty(client->url) && provider->url)
		client->url = str_from(provider->url);
	client->client_id = settings->client_id;
	client->client_secret = settings->client_secret;
	if (settings->scopes.count && !provider->ignores_scopes)
		client->scopes = join_scopes(t, &settings->scopes);
	else
		client->scopes = str_from(provider_scopes(provider, client->url));
	set_params(t, client, &settings->request_params);
	return idp;
}

/* One provider, another client. */
static struct idp make_for_route(const struct idp_table *t, const struct config_route *route)
{
	struct idp idp = *t->global;

	idp.client.client_id = route->idp.client_id;
	idp.client.client_secret = route->idp.client_secret;
	make_id(&idp);
	return idp;
}

void idp_table_init(struct idp_table *t, const struct config *config)
{
	struct idp *global = make_global(t, config);

	map_init(&t->by_id);
	make_id(global);
	t->global = global;
	(void)map_put(&t->by_id, str_from(global->id), global); /* the first */
	for (size_t i = 0; i < config->route_count; i++) {
		struct idp *idp;

		if (str_is_empty(config->routes[i].idp.client_id))
			continue;
		idp = arena_alloc(&t->arena, sizeof(*idp));
		*idp = make_for_route(t, &config->routes[i]);
		(void)map_put(&t->by_id, str_from(idp->id), idp); /* one like it serves as well */
	}
}

void idp_table_done(struct idp_table *t)
{
	map_done(&t->by_id);
	arena_done(&t->arena);
}

const struct idp *idp_table_find(const struct idp_table *t, struct str id)
{
	return map_get(&t->by_id, id);
}

const struct idp *idp_of_route(const struct idp_table *t, const struct config_route *route)
{
	struct idp wanted;

	if (str_is_empty(route->idp.client_id))
		return t->global;
	wanted = make_for_route(t, route);
	return map_get(&t->by_id, str_from(wanted.id));
}
