/*
 * oidc_metadata.c - a discovery document is believed only as far as it agrees with what was configured
 *
 * The issuer decides whose tokens are taken, so it must be the configured one to the letter; a '/' at its end may be
 * missing in the configuration, since both are discovered at one address. Endpoints get codes, tokens and our secret, so
 * they must not be less protected than the issuer. One document, its strings and its count of references are one object.
 */

#include "identity/oidc_client.h"

#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/ref.h"
#include "identity/json_input.h"
#include "identity/oidc_issuer.h"
#include "jose/jwks.h"

#define DISCOVERY_PATH "/.well-known/openid-configuration"

struct metadata_object {
	struct oidc_metadata facts;
	struct ref ref;
	struct arena arena;
};

static struct metadata_object *object_of(struct oidc_metadata *metadata)
{
	return container_of(metadata, struct metadata_object, facts);
}

static struct metadata_object *object_new(void)
{
	struct metadata_object *object = mem_alloc(sizeof(*object));

	object->ref = REF_INIT;
	return object;
}

struct oidc_metadata *oidc_metadata_ref(struct oidc_metadata *metadata)
{
	ref_get(&object_of(metadata)->ref);
	return metadata;
}

void oidc_metadata_unref(struct oidc_metadata *metadata)
{
	struct metadata_object *object;

	if (!metadata)
		return;
	object = object_of(metadata);
	if (!ref_put(&object->ref))
		return;
	arena_done(&object->arena);
	mem_free(object);
}

DEFINE_CLEANUP(struct oidc_metadata, oidc_metadata_unref)

static struct str without_slash(struct str url)
{
	return str_ends_with(url, STR("/")) ? str_first(url, url.len - 1) : url;
}

struct str oidc_discovery_url(const struct oidc_client *client, struct buf *out)
{
	size_t before = out->len;

	if (client->provider->kind != PROVIDER_OIDC)
		return STR("");
	if (buf_append_str(out, without_slash(client->url)) ||
	    buf_append_str(out, STR(DISCOVERY_PATH))) {
		buf_truncate(out, before);
		return STR("");
	}
	return str_from_pos(buf_view(out), before);
}

/* A string or nothing: other types are refused, null and "" are nothing. */
static int read_text(const json_t *document, const char *name, struct str *ret, struct err *e)
{
	const json_t *value = json_object_get(document, name);

	*ret = STR("");
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return err_set(e, ERR_PROTOCOL, "\"%s\" is not a string", name);
	*ret = json_input_view(value);
	return 0;
}

static bool is_configured_issuer(const struct oidc_client *client, struct str issuer)
{
	bool has_slash = str_ends_with(issuer, STR("/"));

	if (client->provider->ends_with_slash && !has_slash)
		return false;
	return str_equal(issuer, client->url) ||
	       (has_slash && str_equal(without_slash(issuer), client->url));
}

/* One document for all tenants: it names an issuer with a place for the tenant, or some tenant's. */
static bool is_tenant_issuer(const struct oidc_client *client, struct str issuer)
{
	const struct provider *provider = client->provider;
	struct url ours;
	struct url theirs;

	if (!provider->has_tenant_issuers)
		return false;
	if (!str_contains(issuer, STR(OIDC_TENANT_PLACE)) &&
	    !str_equal(client->url, str_from(provider->url)))
		return false;
	return url_parse(client->url, &ours, NULL) == 0 && url_parse(issuer, &theirs, NULL) == 0 &&
	       str_equal_nocase(ours.scheme, theirs.scheme) &&
	       str_equal_nocase(ours.authority.text, theirs.authority.text);
}

static int read_issuer(const struct oidc_client *client, const json_t *document,
		       struct metadata_object *object, struct err *e)
{
	struct str issuer;

	if (read_text(document, "issuer", &issuer, e))
		return -1;
	if (!issuer.len)
		return err_set(e, ERR_PROTOCOL, "it names no issuer");
	if (!is_configured_issuer(client, issuer) && !is_tenant_issuer(client, issuer))
		return err_set(
			e, ERR_PROTOCOL, "it is of the issuer \"%.*s\", but \"%.*s\" is configured",
			STR_FMT(str_is_printable_ascii(issuer) ? str_first(issuer, 128) : STR("?")),
			STR_FMT(str_first(client->url, 128)));
	object->facts.issuer = arena_copy(&object->arena, issuer);
	return 0;
}

struct endpoint {
	const char *name;
	struct str *to;
	bool is_required;
};

static int check_endpoint(struct str text, bool allow_http, struct err *e)
{
	struct url url;

	if (url_parse(text, &url, e))
		return -1;
	if (!str_equal_nocase(url.scheme, STR("https")) &&
	    !(allow_http && str_equal_nocase(url.scheme, STR("http"))))
		return err_set(e, ERR_PROTOCOL, "it is not an https URL");
	if (str_find(text, '#') < text.len)
		return err_set(e, ERR_PROTOCOL, "it has a fragment");
	return 0;
}

static int read_endpoint(const struct endpoint *endpoint, const json_t *document, bool allow_http,
			 struct arena *arena, struct err *e)
{
	struct str text;

	if (read_text(document, endpoint->name, &text, e))
		return -1;
	if (!text.len && endpoint->is_required)
		return err_set(e, ERR_PROTOCOL, "it has no \"%s\"", endpoint->name);
	if (text.len && check_endpoint(text, allow_http, e))
		return err_wrap(e, "\"%s\"", endpoint->name);
	*endpoint->to = arena_copy(arena, text);
	return 0;
}

static int read_endpoints(const struct oidc_client *client, const json_t *document,
			  struct metadata_object *object, struct err *e)
{
	struct oidc_metadata *m = &object->facts;
	const struct endpoint endpoints[] = {
		{ "authorization_endpoint", &m->authorization_endpoint, true },
		{ "token_endpoint", &m->token_endpoint, true },
		{ "jwks_uri", &m->jwks_uri, true },
		{ "userinfo_endpoint", &m->userinfo_endpoint, false },
		{ "revocation_endpoint", &m->revocation_endpoint, false },
		{ "end_session_endpoint", &m->end_session_endpoint, false },
	};
	bool allow_http = str_starts_with_nocase(client->url, STR("http://"));

	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		if (read_endpoint(&endpoints[i], document, allow_http, &object->arena, e))
			return -1;
	}
	return 0;
}

/* NULL in *ret_list if it is not there; a list of strings otherwise. */
static int read_list(const json_t *document, const char *name, const json_t **ret_list,
		     struct err *e)
{
	const json_t *list = json_object_get(document, name);

	*ret_list = NULL;
	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return err_set(e, ERR_PROTOCOL, "\"%s\" is not a list", name);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!json_is_string(json_array_get(list, i)))
			return err_set(e, ERR_PROTOCOL, "\"%s\" is not a list of strings", name);
	}
	*ret_list = list;
	return 0;
}

static bool has_item(const json_t *list, struct str item)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (str_equal(json_input_view(json_array_get(list, i)), item))
			return true;
	}
	return false;
}

/* What an id_token may be signed with: never with a shared key, whatever is listed. */
static int read_algorithms(const json_t *document, uint32_t *ret, struct err *e)
{
	enum jws_algorithm algorithm;
	uint32_t algorithms = 0;
	const json_t *list;

	if (read_list(document, "id_token_signing_alg_values_supported", &list, e))
		return -1;
	if (!list)
		algorithms = 1u << JWS_RS256;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (jws_algorithm_parse(json_input_view(json_array_get(list, i)), &algorithm))
			algorithms |= 1u << algorithm;
	}
	if (!algorithms)
		return err_set(
			e, ERR_PROTOCOL,
			"it lists no algorithm for id_tokens that is supported here (RS, PS and ES "
			"256 to 512, EdDSA; never none and HS)");
	*ret = algorithms;
	return 0;
}

static int read_abilities(const json_t *document, struct oidc_metadata *m, struct err *e)
{
	const json_t *methods;

	if (read_algorithms(document, &m->id_token_algorithms, e) ||
	    read_list(document, "code_challenge_methods_supported", &methods, e))
		return -1;
	m->has_pkce = has_item(methods, STR("S256"));
	if (read_list(document, "token_endpoint_auth_methods_supported", &methods, e))
		return -1;
	m->takes_secret_in_body = has_item(methods, STR("client_secret_post")) &&
				  !has_item(methods, STR("client_secret_basic"));
	m->has_iss_parameter = json_is_true(
		json_object_get(document, "authorization_response_iss_parameter_supported"));
	return 0;
}

/* Cognito has one that its document does not always tell of (configuration.md 9). */
static void add_cognito_revocation(struct metadata_object *object)
{
	struct oidc_metadata *m = &object->facts;
	struct url url;

	if (m->revocation_endpoint.len || url_parse(m->authorization_endpoint, &url, NULL))
		return;
	m->revocation_endpoint = arena_printf(&object->arena, "%.*s://%.*s/oauth2/revoke",
					      STR_FMT(url.scheme), STR_FMT(url.authority.text));
}

int oidc_metadata_parse(const struct oidc_client *client, struct str json,
			struct oidc_metadata **ret, struct err *e)
{
	struct metadata_object *object = object_new();
	_cleanup_(oidc_metadata_unrefp) struct oidc_metadata *metadata = &object->facts;

	_cleanup_(json_decrefp)
		json_t *document = json_input_object(json, OIDC_METADATA_TEXT_MAX, e);
	if (!document || read_issuer(client, document, object, e) ||
	    read_endpoints(client, document, object, e) || read_abilities(document, metadata, e))
		return err_wrap(e, "the discovery document of the identity provider");
	if (client->provider->sign_out == SIGN_OUT_COGNITO)
		add_cognito_revocation(object);
	*ret = TAKE(metadata);
	return 0;
}

static bool is_public_github(struct str url)
{
	struct url parts;

	return url_parse(url, &parts, NULL) == 0 &&
	       str_equal_nocase(parts.authority.host, STR("github.com"));
}

struct oidc_metadata *oidc_metadata_fixed(const struct oidc_client *client)
{
	struct metadata_object *object = object_new();
	struct arena *arena = &object->arena;
	struct str url = without_slash(client->url);

	assert(client->provider->kind == PROVIDER_GITHUB);
	object->facts = (struct oidc_metadata){
		.issuer = arena_copy(arena, client->url),
		.authorization_endpoint = arena_printf(arena, "%.*s/login/oauth/authorize",
						       STR_FMT(url)),
		.token_endpoint = arena_printf(arena, "%.*s/login/oauth/access_token",
					       STR_FMT(url)),
		.userinfo_endpoint = is_public_github(url)
					     ? arena_copy(arena, STR("https://api.github.com/user"))
					     : arena_printf(arena, "%.*s/api/v3/user",
							    STR_FMT(url)),
		.takes_secret_in_body = true,
	};
	return &object->facts;
}
