/*
 * config_idp_test.c - idp_provider and what belongs to it: what is accepted, and what is said about the rest
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

#define AUTHENTICATE "authenticate_service_url: https://login.test\n"
#define CLIENT       "idp_client_id: gate\nidp_client_secret: hush\n"
#define GOOGLE       "idp_provider: google\n" AUTHENTICATE "idp_client_id: gate\n"
#define PROVIDERS    "local, auth0, azure, cognito, github, gitlab, google, oidc, okta, onelogin, ping"

static void test_everything(void **state)
{
	struct config *config = parse_good("idp_provider: oidc\n" AUTHENTICATE CLIENT
					   "idp_provider_url: https://idp.test/realm\n"
					   "idp_scopes: openid,email\n"
					   "idp_request_params: {prompt: login, Max_Age: 60}\n"
					   "idp_request_params.hd: a.test\n"
					   "signout_redirect_url: http://bye.test/x?y#z\n"
					   "bearer_token_format: IDP_Access_Token\n"
					   "idp_access_token_allowed_audiences: [a, b]\n"
					   "runtime_flags:\n"
					   "  refresh_session_at_id_token_expiration: false\n");
	const struct config_idp_settings *idp = &config->idp;

	assert_int_equal(config->idp_provider, CONFIG_IDP_EXTERNAL);
	assert_str(idp->provider_name, "oidc");
	assert_str(idp->url, "https://idp.test/realm");
	assert_str(idp->client_id, "gate");
	assert_str(idp->client_secret, "hush");
	assert_int_equal(idp->scopes.count, 2);
	assert_str(idp->scopes.items[1], "email");
	assert_int_equal(idp->request_params.count, 3);
	assert_str(idp->request_params.items[0].name, "prompt");
	assert_str(idp->request_params.items[0].value, "login");
	assert_str(idp->request_params.items[1].name, "Max_Age");
	assert_str(idp->request_params.items[2].name, "hd");
	assert_str(idp->sign_out_url, "http://bye.test/x?y#z");
	assert_int_equal(idp->bearer, CONFIG_BEARER_ACCESS_TOKEN);
	assert_int_equal(idp->access_token_audiences->count, 2);
	assert_false(idp->refresh_at_id_token_expiration);
	config_free(config);
}

static void test_defaults(void **state)
{
	static const char *const texts[] = {
		"",
		"idp_provider: ''\nidp_request_params:\n",
		"bearer_token_format: ''\nidp_scopes: []\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *report;
		struct config *config = parse_text(str_from(texts[i]), "c.yaml", &report);

		assert_non_null(config);
		assert_int_equal(config->idp_provider, CONFIG_IDP_NONE);
		assert_true(str_is_empty(config->idp.provider_name));
		assert_int_equal(config->idp.bearer, CONFIG_BEARER_DEFAULT);
		assert_null(config->idp.access_token_audiences);
		assert_int_equal(config->idp.scopes.count + config->idp.request_params.count, 0);
		assert_true(config->idp.refresh_at_id_token_expiration);
		config_free(config);
		mem_free(report);
	}
}

static void test_every_provider(void **state)
{
	static const struct {
		const char *name;
		bool needs_url;
	} cases[] = {
		{ "auth0", true },   { "azure", false },  { "cognito", true },
		{ "github", false }, { "gitlab", false }, { "google", false },
		{ "oidc", true },    { "okta", true },    { "onelogin", false },
		{ "ping", true },
	};
	char text[300];
	char expected[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text), "idp_provider: %s\n" AUTHENTICATE CLIENT,
			       cases[i].name);
		(void)snprintf(expected, sizeof(expected),
			       "E c.yaml:1:15: idp_provider: %s needs idp_provider_url: the "
			       "issuer, https://host\n",
			       cases[i].name);
		assert_report(text, cases[i].needs_url ? expected : "");
		(void)snprintf(text, sizeof(text),
			       "idp_provider: %s\n" AUTHENTICATE CLIENT
			       "idp_provider_url: https://idp.test\n",
			       cases[i].name);
		assert_report(text, "");
	}
}

static void test_what_is_missing(void **state)
{
	assert_report("idp_provider: okta\n",
		      "E c.yaml:1:15: idp_provider: okta needs idp_provider_url: the issuer, "
		      "https://host\n"
		      "E c.yaml:1:15: idp_provider: okta needs idp_client_id\n"
		      "E c.yaml:1:15: idp_provider: okta needs authenticate_service_url: https:// "
		      "and the name under which browsers reach the login of this gateway\n");
	/* one that is wrong is not also missing */
	assert_report("idp_provider: google\nidp_client_id: x\n"
		      "authenticate_service_url: http://login.test\n",
		      "E c.yaml:3:27: authenticate_service_url: \"http://login.test\" must be "
		      "https://host without a path\n");
	assert_report("idp_provider: apple\n",
		      "E c.yaml:1:15: idp_provider: \"apple\" is not supported yet (" PROVIDERS
		      " are)\n");
	assert_report("idp_provider: hosted\n",
		      "E c.yaml:1:15: idp_provider: \"hosted\" is not supported yet (" PROVIDERS
		      " are)\n");
	assert_report(
		"idp_provider: Google\n",
		"E c.yaml:1:15: idp_provider: \"Google\" is not an identity provider (" PROVIDERS
		" are)\n");
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		const char *report;
	} cases[] = {
		{ "https://idp.test", "" },
		{ "https://idp.test:8443/a/", "" },
		{ "http://127.0.0.1:9000", "" },
		{ "http://localhost", "" },
		{ "http://idp.test", "W c.yaml:4:19: idp_provider_url: is not https: everybody on "
				     "the way can log in as anybody\n" },
		{ "ftp://idp.test",
		  "E c.yaml:4:19: idp_provider_url: \"ftp://idp.test\" must begin "
		  "with https:// or http://\n" },
		{ "https://idp.test?x", "E c.yaml:4:19: idp_provider_url: \"https://idp.test?x\" "
					"must have no query or fragment\n" },
		{ "'https://idp.test#x'", "E c.yaml:4:19: idp_provider_url: \"https://idp.test#x\" "
					  "must have no query or fragment\n" },
		{ "https://me:hunter2@idp.test",
		  "E c.yaml:4:19: idp_provider_url: URL: user information "
		  "in front of the host is refused\n" },
		{ "[a]", "E c.yaml:4:19: idp_provider_url: must be a text, not a list\n" },
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text), GOOGLE "idp_provider_url: %s\n", cases[i].url);
		assert_report(text, cases[i].report);
	}
	assert_report("signout_redirect_url: x\n",
		      "E c.yaml:1:23: signout_redirect_url: the URL does not begin with "
		      "scheme://\n");
	assert_report("signout_redirect_url: javascript://x/%0aalert(1)\n",
		      "E c.yaml:1:23: signout_redirect_url: \"javascript://x/%0aalert(1)\" must "
		      "begin with https:// or http://\n");
}

static void test_scopes_and_params(void **state)
{
	assert_report(GOOGLE "idp_scopes: [openid, '', \"a\\u00e9\"]\n",
		      "E c.yaml:4:22: idp_scopes[1]: is not a scope\n"
		      "E c.yaml:4:26: idp_scopes[2]: is not a scope\n");
	assert_report(GOOGLE "idp_scopes: [email]\n",
		      "W c.yaml:4:13: idp_scopes: without openid the provider does not say who "
		      "logged in\n");
	assert_report("idp_provider: github\n" AUTHENTICATE CLIENT "idp_scopes: [user:email]\n",
		      "");
	assert_report(GOOGLE "idp_request_params:\n  prompt: [a]\n  hd: b\n  x: {}\n",
		      "E c.yaml:5:11: idp_request_params.prompt: must be a text, not a list\n"
		      "E c.yaml:7:6: idp_request_params.x: must be a text, not a mapping\n");
	assert_report(GOOGLE "idp_request_params: [prompt]\n",
		      "E c.yaml:4:21: idp_request_params: must be a mapping (key: value)\n");
	assert_report(GOOGLE "idp_request_params: {'': a}\n",
		      "E c.yaml:4:22: idp_request_params: a parameter needs a name\n");
	assert_report(GOOGLE "idp_request_params: {State: a, code_challenge_method: plain}\n",
		      "W c.yaml:4:22: idp_request_params.State has no effect: the login sets it "
		      "itself\n"
		      "W c.yaml:4:32: idp_request_params.code_challenge_method has no effect: the "
		      "login sets it itself\n");
}

static void test_too_many_params(void **state)
{
	struct buf text = BUF_INIT(10000);

	(void)buf_append_str(&text, STR(GOOGLE "idp_request_params:\n"));
	for (int i = 0; i <= CONFIG_PARAMS_MAX; i++)
		(void)buf_printf(&text, "  p%d: x\n", i);
	(void)buf_append_char(&text, '\0');
	assert_report((const char *)text.data,
		      "E c.yaml:5:3: idp_request_params: has more than 32 parameters\n");
	buf_done(&text);
}

static void test_unused(void **state)
{
	assert_report(
		CLIENT "idp_scopes: [a]\n",
		"W c.yaml:1:16: idp_client_id has no effect without an idp_provider other "
		"than local\n"
		"W c.yaml:2:20: idp_client_secret has no effect without an idp_provider other "
		"than local\n"
		"W c.yaml:3:13: idp_scopes has no effect without an idp_provider other than "
		"local\n");
}

static void test_bearer(void **state)
{
	static const struct {
		const char *text;
		enum config_bearer bearer;
	} cases[] = {
		{ "default", CONFIG_BEARER_DEFAULT },
		{ "unknown", CONFIG_BEARER_DEFAULT },
		{ "BEARER_TOKEN_FORMAT_JWT", CONFIG_BEARER_JWT },
		{ "Jwt", CONFIG_BEARER_JWT },
		{ "idp_identity_token", CONFIG_BEARER_IDENTITY_TOKEN },
		{ "identity_token", CONFIG_BEARER_IDENTITY_TOKEN },
		{ "access_token", CONFIG_BEARER_ACCESS_TOKEN },
		{ "token", CONFIG_BEARER_ACCESS_TOKEN }, /* the first that fits */
		{ "2", CONFIG_BEARER_ACCESS_TOKEN },     /* by its number in the reference */
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text), GOOGLE "bearer_token_format: %s\n",
			       cases[i].text);
		struct config *config = parse_good(text);
		assert_int_equal(config->idp.bearer, cases[i].bearer);
		config_free(config);
	}
	assert_report("bearer_token_format: oken\n",
		      "E c.yaml:1:22: bearer_token_format: \"oken\" is not one of default, "
		      "idp_access_token, idp_identity_token, jwt\n");
	assert_report("bearer_token_format: 5\n",
		      "E c.yaml:1:22: bearer_token_format: \"5\" is not one of default, "
		      "idp_access_token, idp_identity_token, jwt\n");
	assert_report("bearer_token_format: idp_access_token\n",
		      "E c.yaml:1:22: bearer_token_format: needs an idp_provider that is not "
		      "local\n");
	assert_report("idp_provider: github\n" AUTHENTICATE CLIENT
		      "bearer_token_format: idp_identity_token\n",
		      "E c.yaml:5:22: bearer_token_format: github issues no identity tokens\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_provider),
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_scopes_and_params),
		cmocka_unit_test(test_too_many_params),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_bearer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
