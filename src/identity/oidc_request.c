/*
 * oidc_request.c - every parameter goes through struct query, which escapes it
 *
 * What the operator or the provider's document adds comes first and loses against what the protocol itself sets.
 */

#include "identity/oidc_request.h"

#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "jose/mac.h"

#define PKCE_RANDOM_SIZE 32

/* A longer hint makes an address that servers refuse; "client_id" stands in for it. */
#define ID_TOKEN_HINT_MAX 4096

/* A request object would speak instead of the parameters (OpenID Connect Core 6.1). */
static const char *const own_params[] = {
	"client_id", "redirect_uri",   "response_type",         "scope",   "state",
	"nonce",     "code_challenge", "code_challenge_method", "request", "request_uri",
};

void pkce_verifier_new(char out[PKCE_VERIFIER_LEN + 1])
{
	uint8_t random[PKCE_RANDOM_SIZE];
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(PKCE_VERIFIER_LEN);

	random_bytes(random, sizeof(random));
	(void)base64_encode(&text, BASE64_URL, random, sizeof(random)); /* fits exactly */
	memcpy(out, text.data, PKCE_VERIFIER_LEN);
	out[PKCE_VERIFIER_LEN] = '\0';
	mem_wipe(random, sizeof(random));
}

struct str pkce_challenge(struct str verifier, struct arena *arena)
{
	uint8_t digest[SHA256_SIZE];
	_cleanup_(buf_done) struct buf text = BUF_INIT(PKCE_VERIFIER_LEN);

	digest_sha256(verifier, digest);
	(void)base64_encode(&text, BASE64_URL, digest, sizeof(digest)); /* fits exactly */
	return arena_copy(arena, buf_view(&text));
}

static bool is_own_param(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(own_params); i++) {
		if (str_equal(name, str_from(own_params[i])))
			return true;
	}
	return false;
}

/* Leaves room for all of the protocol's own. */
static int add_foreign(struct query *q, const struct query_param *param, struct err *e)
{
	if (is_own_param(param->name))
		return 0;
	if (q->count + ARRAY_LEN(own_params) >= QUERY_PARAMS_MAX)
		return err_set(e, ERR_LIMIT,
			       "the request to the identity provider has too many parameters");
	query_add(q, param->name, param->value);
	return 0;
}

static void add_if_any(struct query *q, struct str name, struct str value)
{
	if (value.len)
		query_add(q, name, value);
}

static struct str format_query(const struct query *q, struct str before, struct arena *arena)
{
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(SIZE_MAX);

	(void)buf_append_str(&text, before); /* there is no maximum */
	(void)query_format_canonical(q, &text);
	return arena_copy(arena, buf_view(&text));
}

/* The address without its query, and a '?'. */
static struct str query_base(struct str url, struct arena *arena)
{
	return arena_printf(arena, "%.*s?", STR_FMT(str_first(url, str_find(url, '?'))));
}

/* The query an endpoint has of its own stays part of it (RFC 6749 section 3.1). */
static int read_endpoint_query(struct str endpoint, struct arena *arena, struct query *ret,
			       struct err *e)
{
	struct query theirs;
	struct url url;

	if (url_parse(endpoint, &url, e) || query_parse(url.query, arena, &theirs, e))
		return -1;
	for (size_t i = 0; i < theirs.count; i++) {
		if (add_foreign(ret, &theirs.items[i], e))
			return -1;
	}
	return 0;
}

static void add_login(struct query *q, const struct oidc_client *client,
		      const struct oidc_metadata *metadata, const struct oidc_login *login,
		      struct arena *arena)
{
	bool is_oidc = client->provider->kind == PROVIDER_OIDC;

	query_add(q, STR("client_id"), client->client_id);
	query_add(q, STR("redirect_uri"), login->redirect_uri);
	query_add(q, STR("response_type"), STR("code"));
	add_if_any(q, STR("scope"), client->scopes);
	query_add(q, STR("state"), login->state);
	if (is_oidc)
		query_add(q, STR("nonce"), login->nonce);
	if (metadata->has_pkce) {
		query_add(q, STR("code_challenge"), pkce_challenge(login->code_verifier, arena));
		query_add(q, STR("code_challenge_method"), STR("S256"));
	}
}

int oidc_authorization_url(const struct oidc_client *client, const struct oidc_metadata *metadata,
			   const struct oidc_login *login, struct arena *arena, struct str *ret_url,
			   struct err *e)
{
	struct query q = { 0 };

	if (read_endpoint_query(metadata->authorization_endpoint, arena, &q, e))
		return err_wrap(e, "the authorization endpoint");
	for (size_t i = 0; i < client->param_count; i++)
		query_remove(&q, client->params[i].name);
	for (size_t i = 0; i < client->param_count; i++) {
		if (add_foreign(&q, &client->params[i], e))
			return -1;
	}
	add_login(&q, client, metadata, login, arena);
	*ret_url = format_query(&q, query_base(metadata->authorization_endpoint, arena), arena);
	return 0;
}

/* Both halves are form-encoded first (RFC 6749 section 2.3.1): a ':' in one of them would move the border. */
static struct str basic_credentials(const struct oidc_client *client, struct arena *arena)
{
	_cleanup_(buf_done_secret) struct buf plain = BUF_INIT(SIZE_MAX);
	_cleanup_(buf_done_secret) struct buf header = BUF_INIT(SIZE_MAX);

	(void)query_escape(&plain, client->client_id); /* there is no maximum */
	(void)buf_append_char(&plain, ':');
	(void)query_escape(&plain, client->client_secret);
	(void)buf_append_str(&header, STR("Basic "));
	(void)base64_encode(&header, BASE64_STANDARD, plain.data, plain.len);
	return arena_copy(arena, buf_view(&header));
}

/* The client proves who it is in one way only: providers refuse two. */
static void finish_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
			struct query *q, struct arena *arena, struct oidc_call *ret)
{
	bool is_basic = client->client_secret.len && !metadata->takes_secret_in_body;

	if (is_basic)
		ret->authorization = basic_credentials(client, arena);
	if (!is_basic)
		query_add(q, STR("client_id"), client->client_id);
	if (!is_basic)
		add_if_any(q, STR("client_secret"), client->client_secret);
	ret->body = format_query(q, STR(""), arena);
}

void oidc_code_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
		    const struct oidc_login *login, struct str code, struct arena *arena,
		    struct oidc_call *ret)
{
	struct query q = { 0 };

	*ret = (struct oidc_call){ .url = metadata->token_endpoint };
	query_add(&q, STR("grant_type"), STR("authorization_code"));
	query_add(&q, STR("code"), code);
	query_add(&q, STR("redirect_uri"), login->redirect_uri);
	if (metadata->has_pkce)
		add_if_any(&q, STR("code_verifier"), login->code_verifier);
	finish_call(client, metadata, &q, arena, ret);
}

void oidc_refresh_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
		       struct str refresh_token, struct arena *arena, struct oidc_call *ret)
{
	struct query q = { 0 };

	*ret = (struct oidc_call){ .url = metadata->token_endpoint };
	query_add(&q, STR("grant_type"), STR("refresh_token"));
	query_add(&q, STR("refresh_token"), refresh_token);
	finish_call(client, metadata, &q, arena, ret);
}

static void get_as_bearer(struct str url, struct str access_token, struct arena *arena,
			  struct oidc_call *ret)
{
	*ret = (struct oidc_call){ 0 };
	if (!url.len)
		return;
	ret->url = url;
	ret->authorization = arena_printf(arena, "Bearer %.*s", STR_FMT(access_token));
}

void oidc_userinfo_call(const struct oidc_metadata *metadata, struct str access_token,
			struct arena *arena, struct oidc_call *ret)
{
	get_as_bearer(metadata->userinfo_endpoint, access_token, arena, ret);
}

void github_emails_call(const struct oidc_metadata *metadata, struct str access_token,
			struct arena *arena, struct oidc_call *ret)
{
	get_as_bearer(arena_printf(arena, "%.*s/emails", STR_FMT(metadata->userinfo_endpoint)),
		      access_token, arena, ret);
}

void oidc_revocation_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
			  struct str token, struct arena *arena, struct oidc_call *ret)
{
	struct query q = { 0 };

	*ret = (struct oidc_call){ 0 };
	if (!metadata->revocation_endpoint.len)
		return;
	ret->url = metadata->revocation_endpoint;
	query_add(&q, STR("token"), token);
	finish_call(client, metadata, &q, arena, ret);
}

static struct str end_session_url(const struct oidc_client *client,
				  const struct oidc_metadata *metadata, struct str id_token,
				  struct str return_to, struct arena *arena)
{
	static const char *const names[] = { "id_token_hint", "client_id",
					     "post_logout_redirect_uri" };
	struct query q = { 0 };

	if (!metadata->end_session_endpoint.len ||
	    read_endpoint_query(metadata->end_session_endpoint, arena, &q, NULL))
		return STR("");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		query_remove(&q, str_from(names[i]));
	if (id_token.len <= ID_TOKEN_HINT_MAX)
		add_if_any(&q, STR("id_token_hint"), id_token);
	query_add(&q, STR("client_id"), client->client_id);
	add_if_any(&q, STR("post_logout_redirect_uri"), return_to);
	return format_query(&q, query_base(metadata->end_session_endpoint, arena), arena);
}

static struct str logout_url(struct str base, const struct oidc_client *client,
			     const char *return_name, struct str return_to, struct arena *arena)
{
	struct query q = { 0 };

	query_add(&q, STR("client_id"), client->client_id);
	add_if_any(&q, str_from(return_name), return_to);
	return format_query(&q, base, arena);
}

/* scheme://host[:port] and a path; "" if the URL is none. */
static struct str at_host_of(struct str url, const char *path, struct arena *arena)
{
	struct url parts;

	if (url_parse(url, &parts, NULL))
		return STR("");
	return arena_printf(arena, "%.*s://%.*s%s", STR_FMT(parts.scheme),
			    STR_FMT(parts.authority.text), path);
}

struct str oidc_sign_out_url(const struct oidc_client *client, const struct oidc_metadata *metadata,
			     struct str id_token, struct str return_to, struct arena *arena)
{
	struct str base = STR("");

	switch (client->provider->sign_out) {
	case SIGN_OUT_END_SESSION:
		return end_session_url(client, metadata, id_token, return_to, arena);
	case SIGN_OUT_AUTH0:
		base = at_host_of(metadata->issuer, "/v2/logout?", arena);
		return base.len ? logout_url(base, client, "returnTo", return_to, arena) : base;
	case SIGN_OUT_COGNITO:
		base = at_host_of(metadata->authorization_endpoint, "/logout?", arena);
		return base.len ? logout_url(base, client, "logout_uri", return_to, arena) : base;
	}
	return base;
}
