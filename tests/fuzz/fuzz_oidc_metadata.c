/*
 * fuzz_oidc_metadata.c - an input is taken as the discovery document of several providers
 *
 * Properties: what was accepted names asymmetric algorithms only, and endpoints that are URLs, protected as well as the
 * issuer; addresses for the browser can be made of it, are URLs, stay at the endpoint's host, and hold what the protocol
 * wants just once.
 */

#include <assert.h>

#include "identity/oidc_request.h"
#include "jose/jwks.h"
#include "tests/fuzz/fuzz.h"

static const struct oidc_login login = {
	.redirect_uri = STR("https://auth.example.com/oauth2/callback"),
	.state = STR("state"),
	.nonce = STR("nonce"),
	.code_verifier = STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
};

static void check_endpoint(struct str text, bool allow_http)
{
	struct url url;
	struct err e;

	if (!text.len)
		return;
	assert(url_parse(text, &url, &e) == 0);
	assert(str_equal_nocase(url.scheme, STR("https")) ||
	       (allow_http && str_equal_nocase(url.scheme, STR("http"))));
	assert(str_find(text, '#') == text.len);
	assert(str_find(url.authority.text, '@') == url.authority.text.len);
}

static void check_parameter(const struct query *q, struct str name, struct str value)
{
	size_t count = 0;

	for (size_t i = 0; i < q->count; i++) {
		if (!str_equal(q->items[i].name, name))
			continue;
		assert(str_equal(q->items[i].value, value));
		count++;
	}
	assert(count == 1);
}

static void check_browser_url(struct str text, struct str endpoint, struct arena *arena,
			      struct query *ret)
{
	struct url theirs;
	struct url url;
	struct err e;

	assert(url_parse(endpoint, &theirs, &e) == 0);
	/* Escaping may make it too long. */
	if (text.len > URL_MAX) {
		*ret = (struct query){ 0 };
		return;
	}
	assert(url_parse(text, &url, &e) == 0);
	assert(str_equal(url.scheme, theirs.scheme));
	assert(str_equal(url.authority.text, theirs.authority.text));
	assert(str_equal(url.path, theirs.path));
	assert(query_parse(url.query, arena, ret, &e) == 0);
	check_parameter(ret, STR("client_id"), STR("client"));
}

static void check_browser_urls(const struct oidc_client *client, const struct oidc_metadata *m)
{
	struct arena arena = { 0 };
	struct query q;
	struct str url;
	struct err e;

	if (oidc_authorization_url(client, m, &login, &arena, &url, &e) == 0) {
		check_browser_url(url, m->authorization_endpoint, &arena, &q);
		if (q.count) {
			check_parameter(&q, STR("redirect_uri"), login.redirect_uri);
			check_parameter(&q, STR("state"), login.state);
			check_parameter(&q, STR("nonce"), login.nonce);
			check_parameter(&q, STR("response_type"), STR("code"));
		}
	}
	url = oidc_sign_out_url(client, m, STR("h.p.s"), STR("https://me"), &arena);
	if (url.len && client->provider->sign_out == SIGN_OUT_END_SESSION)
		check_browser_url(url, m->end_session_endpoint, &arena, &q);
	arena_done(&arena);
}

static void check_as(const char *provider, struct str url, struct str input)
{
	const struct oidc_client client = {
		.provider = provider_find(str_from(provider)),
		.url = url,
		.client_id = STR("client"),
		.client_secret = STR("secret"),
		.scopes = STR("openid"),
	};
	bool allow_http = str_starts_with(url, STR("http:"));
	struct oidc_metadata *m = NULL;
	struct err e;

	if (oidc_metadata_parse(&client, input, &m, &e))
		return;
	assert(m->id_token_algorithms && !(m->id_token_algorithms & ~JWS_ALGORITHMS_ALL));
	assert(m->authorization_endpoint.len && m->token_endpoint.len && m->jwks_uri.len);
	check_endpoint(m->authorization_endpoint, allow_http);
	check_endpoint(m->token_endpoint, allow_http);
	check_endpoint(m->jwks_uri, allow_http);
	check_endpoint(m->userinfo_endpoint, allow_http);
	check_endpoint(m->revocation_endpoint, allow_http);
	check_endpoint(m->end_session_endpoint, allow_http);
	check_browser_urls(&client, m);
	oidc_metadata_unref(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);

	check_as("oidc", STR("https://idp.example.com"), input);
	check_as("oidc", STR("http://127.0.0.1:9000"), input);
	check_as("auth0", STR("https://idp.example.com"), input);
	check_as("cognito", STR("https://idp.example.com"), input);
	check_as("azure", STR("https://login.microsoftonline.com/common/v2.0"), input);
	return 0;
}
