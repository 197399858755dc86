#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "identity/oidc_client.h"
#include "jose/jwks.h"

#define ENDPOINTS                                                                                  \
	"\"authorization_endpoint\":\"https://idp.example.com/auth\","                             \
	"\"token_endpoint\":\"https://idp.example.com/token\","                                    \
	"\"jwks_uri\":\"https://keys.example.net/jwks\""
#define ISSUER  "\"issuer\":\"https://idp.example.com\","
#define MINIMUM "{" ISSUER ENDPOINTS "}"

static struct oidc_client client_of(const char *provider, const char *url)
{
	return (struct oidc_client){
		.provider = provider_find(str_from(provider)),
		.url = str_from(url),
		.client_id = STR("client"),
	};
}

static struct oidc_metadata *parse_as(const char *provider, const char *url, const char *json)
{
	struct oidc_client client = client_of(provider, url);
	struct oidc_metadata *metadata = NULL;
	struct err e = { 0 };

	if (oidc_metadata_parse(&client, str_from(json), &metadata, &e))
		fail_msg("%s: %s", json, e.text);
	return metadata;
}

static void assert_refused(const char *provider, const char *url, const char *json,
			   const char *reason)
{
	struct oidc_client client = client_of(provider, url);
	struct oidc_metadata *metadata = NULL;
	struct err e = { 0 };

	if (!oidc_metadata_parse(&client, str_from(json), &metadata, &e))
		fail_msg("accepted: %s", json);
	assert_null(metadata);
	if (!strstr(e.text, reason))
		fail_msg("%s: \"%s\" does not say \"%s\"", json, e.text, reason);
}

static void assert_text(struct str is, const char *should)
{
	if (!str_equal(is, str_from(should)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(is), should);
}

static void test_minimum(void **state)
{
	struct oidc_metadata *m = parse_as("oidc", "https://idp.example.com", MINIMUM);

	assert_text(m->issuer, "https://idp.example.com");
	assert_text(m->authorization_endpoint, "https://idp.example.com/auth");
	assert_text(m->token_endpoint, "https://idp.example.com/token");
	assert_text(m->jwks_uri, "https://keys.example.net/jwks");
	assert_text(m->userinfo_endpoint, "");
	assert_text(m->revocation_endpoint, "");
	assert_text(m->end_session_endpoint, "");
	assert_int_equal(m->id_token_algorithms, 1u << JWS_RS256);
	assert_false(m->has_pkce);
	assert_false(m->has_iss_parameter);
	assert_false(m->takes_secret_in_body);
	assert_ptr_equal(oidc_metadata_ref(m), m);
	oidc_metadata_unref(m);
	assert_text(m->issuer, "https://idp.example.com");
	oidc_metadata_unref(m);
	oidc_metadata_unref(NULL);
}

static void test_everything(void **state)
{
	struct oidc_metadata *m = parse_as(
		"oidc", "https://idp.example.com",
		"{" ISSUER ENDPOINTS ",\"userinfo_endpoint\":\"https://idp.example.com/me\","
		"\"revocation_endpoint\":\"https://idp.example.com/revoke\","
		"\"end_session_endpoint\":\"https://idp.example.com/end?a=b\","
		"\"id_token_signing_alg_values_supported\":[\"none\",\"HS256\",\"ES256\",\"EdDSA\","
		"\"RS256\",\"unknown\"],"
		"\"code_challenge_methods_supported\":[\"plain\",\"S256\"],"
		"\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"],"
		"\"authorization_response_iss_parameter_supported\":true,"
		"\"something\":{\"else\":[1,2.5,null]}}");

	assert_text(m->userinfo_endpoint, "https://idp.example.com/me");
	assert_text(m->revocation_endpoint, "https://idp.example.com/revoke");
	assert_text(m->end_session_endpoint, "https://idp.example.com/end?a=b");
	assert_int_equal(m->id_token_algorithms,
			 1u << JWS_ES256 | 1u << JWS_EDDSA | 1u << JWS_RS256);
	assert_true(m->has_pkce);
	assert_true(m->has_iss_parameter);
	assert_true(m->takes_secret_in_body);
	oidc_metadata_unref(m);
}

static void test_client_authentication(void **state)
{
	static const struct {
		const char *methods;
		bool takes_secret_in_body;
	} cases[] = {
		{ "null", false },
		{ "[]", false },
		{ "[\"client_secret_post\",\"client_secret_basic\"]", false },
		{ "[\"private_key_jwt\",\"client_secret_post\"]", true },
		{ "[\"private_key_jwt\"]", false },
	};
	struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str json = arena_printf(&arena,
					       "{" ISSUER ENDPOINTS
					       ",\"token_endpoint_auth_methods_supported\":%s}",
					       cases[i].methods);
		struct oidc_metadata *m = parse_as("oidc", "https://idp.example.com", json.at);

		assert_int_equal(m->takes_secret_in_body, cases[i].takes_secret_in_body);
		oidc_metadata_unref(m);
	}
	arena_done(&arena);
}

/* provider, configured URL, issuer of the document, taken? */
static void test_issuers(void **state)
{
	static const struct {
		const char *provider;
		const char *url;
		const char *issuer;
		bool is_taken;
	} cases[] = {
		{ "oidc", "https://a.example", "https://a.example", true },
		{ "oidc", "https://a.example", "https://a.example/", true },
		{ "oidc", "https://a.example/", "https://a.example/", true },
		{ "oidc", "https://a.example/", "https://a.example", false },
		{ "oidc", "https://a.example", "https://a.example//", false },
		{ "oidc", "https://a.example", "https://A.example", false },
		{ "oidc", "https://a.example", "http://a.example", false },
		{ "oidc", "https://a.example", "https://a.example:443", false },
		{ "oidc", "https://a.example/x", "https://a.example/y", false },
		{ "oidc", "https://a.example", "https://a.example/x", false },
		{ "oidc", "https://a.example", "https://a.example.evil.example", false },
		{ "oidc", "https://a.example", "", false },
		{ "oidc", "https://a.example", "https://a.example/{tenantid}", false },
		{ "auth0", "https://t.auth0.com", "https://t.auth0.com/", true },
		{ "auth0", "https://t.auth0.com/", "https://t.auth0.com/", true },
		{ "auth0", "https://t.auth0.com", "https://t.auth0.com", false },
		{ "azure", "https://login.microsoftonline.com/common/v2.0",
		  "https://login.microsoftonline.com/{tenantid}/v2.0", true },
		{ "azure", "https://login.microsoftonline.com/organizations/v2.0",
		  "https://login.microsoftonline.com/{tenantid}/v2.0", true },
		{ "azure", "https://login.microsoftonline.com/common/v2.0",
		  "https://login.microsoftonline.com/9188040d/v2.0", true },
		{ "azure", "https://login.microsoftonline.com/common/v2.0",
		  "https://evil.example/{tenantid}/v2.0", false },
		{ "azure", "https://login.microsoftonline.com/common/v2.0",
		  "http://login.microsoftonline.com/{tenantid}/v2.0", false },
		{ "azure", "https://login.microsoftonline.com/1234/v2.0",
		  "https://login.microsoftonline.com/1234/v2.0", true },
		{ "azure", "https://login.microsoftonline.com/1234/v2.0",
		  "https://login.microsoftonline.com/5678/v2.0", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct str json = arena_printf(&arena, "{\"issuer\":\"%s\"," ENDPOINTS "}",
					       cases[i].issuer);
		struct oidc_client client = client_of(cases[i].provider, cases[i].url);
		struct oidc_metadata *metadata = NULL;
		int rc = oidc_metadata_parse(&client, json, &metadata, NULL);

		if ((rc == 0) != cases[i].is_taken)
			fail_msg("%s %s %s", cases[i].provider, cases[i].url, cases[i].issuer);
		if (metadata)
			assert_text(metadata->issuer, cases[i].issuer);
		oidc_metadata_unref(metadata);
		arena_done(&arena);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *json;
		const char *reason;
	} cases[] = {
		{ "", "not valid JSON" },
		{ "<html>", "not valid JSON" },
		{ "[]", "not a JSON object" },
		{ "{}", "names no issuer" },
		{ "{" ISSUER ENDPOINTS "} ,", "not valid JSON" },
		{ "{\"issuer\":1," ENDPOINTS "}", "\"issuer\" is not a string" },
		{ "{" ISSUER ISSUER ENDPOINTS "}", "twice" },
		{ "{" ISSUER ENDPOINTS ",\"x\":{\"y\":1,\"y\":2}}", "twice" },
		{ "{" ISSUER "\"token_endpoint\":\"https://a/t\",\"jwks_uri\":\"https://a/j\"}",
		  "no \"authorization_endpoint\"" },
		{ "{" ISSUER
		  "\"authorization_endpoint\":\"https://a/a\",\"jwks_uri\":\"https://a/j\"}",
		  "no \"token_endpoint\"" },
		{ "{" ISSUER
		  "\"authorization_endpoint\":\"https://a/a\",\"token_endpoint\":\"https://a/t\"}",
		  "no \"jwks_uri\"" },
		{ "{" ISSUER ENDPOINTS
		  ",\"id_token_signing_alg_values_supported\":[\"none\",\"HS256\"]}",
		  "never none and HS" },
		{ "{" ISSUER ENDPOINTS ",\"id_token_signing_alg_values_supported\":[]}",
		  "no algorithm" },
		{ "{" ISSUER ENDPOINTS ",\"id_token_signing_alg_values_supported\":\"RS256\"}",
		  "not a list" },
		{ "{" ISSUER ENDPOINTS ",\"code_challenge_methods_supported\":[1]}",
		  "not a list of strings" },
		{ "{" ISSUER ENDPOINTS ",\"token_endpoint_auth_methods_supported\":{}}",
		  "not a list" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused("oidc", "https://idp.example.com", cases[i].json, cases[i].reason);
}

static void test_bad_endpoints(void **state)
{
	static const char *const values[] = {
		"\"http://idp.example.com/\"",
		"\"javascript:alert(1)\"",
		"\"/relative\"",
		"\"https://\"",
		"\"https://user:pw@idp.example/\"",
		"\"https://a@b/\"",
		"\"https://idp.example/#x\"",
		"\"https://idp.example/#\"",
		"\"https://idp.example/ x\"",
		"\"https://idp.example\\r\\nX: y\"",
		"\"ftp://idp.example/\"",
		"\"file:///etc/passwd\"",
		"\"//idp.example/\"",
		"\"https:\\\\\\\\idp.example\"",
		"1",
		"[]",
		"{}",
		"true",
	};
	static const char *const names[] = { "userinfo_endpoint", "revocation_endpoint",
					     "end_session_endpoint" };
	struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		for (size_t n = 0; n < ARRAY_LEN(names); n++) {
			struct str json = arena_printf(&arena, "{" ISSUER ENDPOINTS ",\"%s\":%s}",
						       names[n], values[i]);

			assert_refused("oidc", "https://idp.example.com", json.at, names[n]);
		}
		struct str json = arena_printf(
			&arena,
			"{" ISSUER "\"authorization_endpoint\":\"https://a/\",\"jwks_uri\":"
			"\"https://a/\",\"token_endpoint\":%s}",
			values[i]);

		assert_refused("oidc", "https://idp.example.com", json.at, "token_endpoint");
	}
	arena_done(&arena);
}

/* For a provider on one's own machine. */
static void test_http(void **state)
{
	struct oidc_metadata *m = parse_as("oidc", "http://127.0.0.1:9000",
					   "{\"issuer\":\"http://127.0.0.1:9000\","
					   "\"authorization_endpoint\":\"http://127.0.0.1:9000/a\","
					   "\"token_endpoint\":\"http://127.0.0.1:9000/t\","
					   "\"jwks_uri\":\"https://elsewhere.example/j\","
					   "\"userinfo_endpoint\":null,"
					   "\"revocation_endpoint\":\"\"}");

	assert_text(m->token_endpoint, "http://127.0.0.1:9000/t");
	assert_text(m->userinfo_endpoint, "");
	assert_text(m->revocation_endpoint, "");
	oidc_metadata_unref(m);
}

static void test_too_long(void **state)
{
	struct oidc_client client = client_of("oidc", "https://idp.example.com");
	struct oidc_metadata *metadata = NULL;
	struct buf text = BUF_INIT(2 * OIDC_METADATA_TEXT_MAX);
	struct err e;

	assert_int_equal(buf_append_str(&text, STR(MINIMUM)), 0);
	while (text.len < OIDC_METADATA_TEXT_MAX)
		assert_int_equal(buf_append_char(&text, ' '), 0);
	assert_int_equal(oidc_metadata_parse(&client, buf_view(&text), &metadata, &e), 0);
	oidc_metadata_unref(metadata);
	metadata = NULL;
	assert_int_equal(buf_append_char(&text, ' '), 0);
	assert_int_equal(oidc_metadata_parse(&client, buf_view(&text), &metadata, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_null(metadata);
	buf_done(&text);
}

static void test_cognito_revocation(void **state)
{
	struct oidc_metadata *m = parse_as("cognito", "https://idp.example.com", MINIMUM);

	assert_text(m->revocation_endpoint, "https://idp.example.com/oauth2/revoke");
	oidc_metadata_unref(m);
	m = parse_as("cognito", "https://idp.example.com",
		     "{" ISSUER ENDPOINTS ",\"revocation_endpoint\":\"https://other/r\"}");
	assert_text(m->revocation_endpoint, "https://other/r");
	oidc_metadata_unref(m);
}

static void test_discovery_url(void **state)
{
	static const struct {
		const char *provider;
		const char *url;
		const char *should;
	} cases[] = {
		{ "oidc", "https://a.example",
		  "https://a.example/.well-known/openid-configuration" },
		{ "auth0", "https://a.example/",
		  "https://a.example/.well-known/openid-configuration" },
		{ "oidc", "https://a.example/x/y",
		  "https://a.example/x/y/.well-known/openid-configuration" },
		{ "github", "https://github.com", "" },
		{ "local", "", "" },
	};
	struct buf text = BUF_INIT(200);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct oidc_client client = client_of(cases[i].provider, cases[i].url);

		buf_truncate(&text, 0);
		assert_int_equal(buf_append_char(&text, '>'), 0);
		assert_text(oidc_discovery_url(&client, &text), cases[i].should);
	}
	buf_done(&text);
	text.max = 30;
	assert_text(
		oidc_discovery_url(&(struct oidc_client){ .provider = provider_find(STR("oidc")),
							  .url = STR("https://a.example") },
				   &text),
		"");
	assert_int_equal(text.len, 0);
	buf_done(&text);
}

static void test_github(void **state)
{
	static const struct {
		const char *url;
		const char *authorization;
		const char *user;
	} cases[] = {
		{ "https://github.com", "https://github.com/login/oauth/authorize",
		  "https://api.github.com/user" },
		{ "https://GitHub.com/", "https://GitHub.com/login/oauth/authorize",
		  "https://api.github.com/user" },
		{ "https://git.example.com", "https://git.example.com/login/oauth/authorize",
		  "https://git.example.com/api/v3/user" },
		{ "https://github.com.example.com/",
		  "https://github.com.example.com/login/oauth/authorize",
		  "https://github.com.example.com/api/v3/user" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct oidc_client client = client_of("github", cases[i].url);
		struct oidc_metadata *m = oidc_metadata_fixed(&client);

		assert_text(m->authorization_endpoint, cases[i].authorization);
		assert_true(str_ends_with(m->token_endpoint, STR("/login/oauth/access_token")));
		assert_text(m->userinfo_endpoint, cases[i].user);
		assert_text(m->jwks_uri, "");
		assert_false(m->has_pkce);
		assert_true(m->takes_secret_in_body);
		oidc_metadata_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimum),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_client_authentication),
		cmocka_unit_test(test_issuers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_endpoints),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_cognito_revocation),
		cmocka_unit_test(test_discovery_url),
		cmocka_unit_test(test_github),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
