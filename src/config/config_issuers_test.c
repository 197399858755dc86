/*
 * config_issuers_test.c - identity_providers, and what routes say about tokens and clients of their own
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

#define GOOGLE                                                                                     \
	"idp_provider: google\nidp_client_id: gate\n"                                              \
	"authenticate_service_url: https://login.test\n"
#define ISSUERS                                                                                    \
	"identity_providers:\n"                                                                    \
	"  ci: {issuer: 'https://ci.test', audiences: a}\n"                                        \
	"  k8s: {issuer: 'https://k8s.test', audiences: [b]}\n"
#define ROUTE "routes:\n  - from: tcp+https://a:1\n    to: tcp://b\n"

static void test_everything(void **state)
{
	struct config *config = parse_good(
		"identity_providers:\n"
		"  k8s.prod:\n"
		"    issuer: https://k8s.test/x\n"
		"    jwks_url: http://127.0.0.1:8001/keys?x=1\n"
		"    supported_algs: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
		"ES384, ES512, EdDSA]\n"
		"    audiences: [a, b]\n"
		"  ci:\n"
		"    issuer: http://localhost:8080\n"
		"    audiences: c\n"
		"identity_providers.late: {issuer: 'https://late.test', audiences: d}\n");
	const struct config_issuer *issuers = config->idp.issuers;

	assert_int_equal(config->idp.issuer_count, 3);
	assert_str(issuers[2].issuer, "https://late.test");
	assert_str(issuers[0].name, "k8s.prod");
	assert_int_equal(issuers[0].at.line, 2);
	assert_str(issuers[0].issuer, "https://k8s.test/x");
	assert_str(issuers[0].jwks_url, "http://127.0.0.1:8001/keys?x=1");
	assert_int_equal(issuers[0].algorithms.count, 10);
	assert_str(issuers[0].algorithms.items[9], "EdDSA");
	assert_int_equal(issuers[0].audiences.count, 2);
	assert_str(issuers[1].name, "ci");
	assert_str(issuers[1].jwks_url, "");
	assert_int_equal(issuers[1].algorithms.count, 3);
	assert_str(issuers[1].algorithms.items[0], "RS256");
	assert_str(issuers[1].algorithms.items[1], "ES256");
	assert_str(issuers[1].algorithms.items[2], "EdDSA");
	assert_str(issuers[1].audiences.items[0], "c");
	config_free(config);
}

#define ENTRY(name, rest) "identity_providers:\n  " name ":\n    audiences: [a]\n" rest
#define URL(url)          ENTRY("ci", "    issuer: " url "\n")
#define KEYS(url)         URL("https://ci.test") "    jwks_url: " url "\n"
#define GOOD              "    issuer: https://ci.test\n"

static void test_bad_entries(void **state)
{
	static const struct {
		const char *text;
		const char *report;
	} cases[] = {
		{ "identity_providers: [a]\n",
		  "E c.yaml:1:21: identity_providers: must be a mapping of names to mappings\n" },
		{ "identity_providers: {}\n", "" },
		{ "identity_providers: {ci: x}\n",
		  "E c.yaml:1:26: identity_providers.ci: must be a mapping (key: value)\n"
		  "E c.yaml:1:22: identity_providers.ci needs an issuer: https://host\n"
		  "E c.yaml:1:22: identity_providers.ci needs audiences: whom a token must have "
		  "been issued for\n" },
		{ "identity_providers: {ci: ~}\n",
		  "E c.yaml:1:22: identity_providers.ci needs an issuer: https://host\n"
		  "E c.yaml:1:22: identity_providers.ci needs audiences: whom a token must have "
		  "been issued for\n" },
		{ ENTRY("CI", GOOD),
		  "E c.yaml:2:3: identity_providers.CI must be a name in lower case\n" },
		{ ENTRY("a/b", GOOD),
		  "E c.yaml:2:3: identity_providers.a/b must be a name without / and without "
		  "blanks\n" },
		{ ENTRY("a b", GOOD),
		  "E c.yaml:2:3: identity_providers.a b must be a name without / and without "
		  "blanks\n" },
		{ ENTRY("''", GOOD), "E c.yaml:2:3: identity_providers.\"\" needs a name\n" },
		{ URL("http://ci.test"),
		  "E c.yaml:4:13: identity_providers.ci.issuer: \"http://ci.test\" must begin with "
		  "https:// (http:// is for addresses of this machine)\n" },
		{ URL("ci.test"),
		  "E c.yaml:4:13: identity_providers.ci.issuer: the URL does not begin with scheme://\n" },
		{ URL("https://ci.test/?x"),
		  "E c.yaml:4:13: identity_providers.ci.issuer: \"https://ci.test/?x\" must have no "
		  "query or fragment\n" },
		{ KEYS("http://10.0.0.1/keys"),
		  "E c.yaml:5:15: identity_providers.ci.jwks_url: \"http://10.0.0.1/keys\" must "
		  "begin with https:// (http:// is for addresses of this machine)\n" },
		{ KEYS("''"), "" },
		{ ENTRY("ci", GOOD "    supported_algs: [RS256, HS256, none, es256]\n"),
		  "E c.yaml:5:29: identity_providers.ci.supported_algs[1]: \"HS256\" is not one of "
		  "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA\n"
		  "E c.yaml:5:36: identity_providers.ci.supported_algs[2]: \"none\" is not one of "
		  "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA\n"
		  "E c.yaml:5:42: identity_providers.ci.supported_algs[3]: \"es256\" is not one of "
		  "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA\n" },
		{ "identity_providers:\n  ci:\n    issuer: https://ci.test\n    audiences: []\n",
		  "E c.yaml:2:3: identity_providers.ci needs audiences: whom a token must have been "
		  "issued for\n" },
		{ "identity_providers:\n  ci:\n    issuer: https://ci.test\n    audiences: ['']\n",
		  "E c.yaml:4:17: identity_providers.ci.audiences[0]: must not be empty\n" },
		{ ENTRY("ci", GOOD "    audience: x\n"),
		  "W c.yaml:5:5: identity_providers.ci.audience is not a known setting and is "
		  "ignored; did you mean audiences?\n" },
		{ "identity_providers:\n  a: {issuer: 'https://i', audiences: x}\n"
		  "  b: {issuer: 'https://i', audiences: x}\n",
		  "E c.yaml:3:15: identity_providers.b.issuer: \"https://i\" is there already, in "
		  "line 2\n" },
		/* a name and a key in one: too deep for a dotted key, and never half read */
		{ "identity_providers.ci.issuer: https://i\n",
		  "E c.yaml:1:31: identity_providers.ci.issuer: must be a mapping (key: value)\n"
		  "E c.yaml:1:1: identity_providers.ci.issuer needs an issuer: https://host\n"
		  "E c.yaml:1:1: identity_providers.ci.issuer needs audiences: whom a token must "
		  "have been issued for\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_too_many(void **state)
{
	struct buf text = BUF_INIT(1u << 20);

	(void)buf_append_str(&text, STR("identity_providers:\n"));
	for (int i = 0; i <= CONFIG_ISSUERS_MAX; i++)
		(void)buf_printf(&text, "  p%d: {issuer: 'https://i%d', audiences: a}\n", i, i);
	(void)buf_append_char(&text, '\0');
	assert_report((const char *)text.data,
		      "E c.yaml:2:3: identity_providers: has more than 256 entries\n");
	buf_done(&text);
}

static void test_route_with_issuers(void **state)
{
	struct config *config = parse_good(ISSUERS "bearer_token_format: jwt\n"
						   "routes:\n"
						   "  - {from: 'tcp+https://a:1', to: 'tcp://b', "
						   "identity_providers: [k8s, ci]}\n"
						   "  - {from: 'tcp+https://a:2', to: 'tcp://b', "
						   "bearer_token_format: default}\n");
	const struct config_route_idp *idp = &config->routes[0].idp;

	assert_int_equal(idp->bearer, CONFIG_BEARER_JWT);
	assert_int_equal(idp->issuer_count, 2);
	assert_ptr_equal(idp->issuers[0], &config->idp.issuers[1]);
	assert_ptr_equal(idp->issuers[1], &config->idp.issuers[0]);
	assert_int_equal(config->routes[1].idp.bearer, CONFIG_BEARER_DEFAULT);
	assert_int_equal(config->routes[1].idp.issuer_count, 0);
	config_free(config);
}

static void test_route_with_client(void **state)
{
	struct config *config = parse_good(GOOGLE "idp_access_token_allowed_audiences: [x]\n" ROUTE
						  "    idp_client_id: id\n"
						  "    idp_client_secret: secret\n"
						  "    bearer_token_format: idp_identity_token\n"
						  "  - from: tcp+https://a:2\n"
						  "    to: tcp://b\n"
						  "    idp_access_token_allowed_audiences: []\n");

	assert_str(config->routes[0].idp.client_id, "id");
	assert_str(config->routes[0].idp.client_secret, "secret");
	assert_int_equal(config->routes[0].idp.bearer, CONFIG_BEARER_IDENTITY_TOKEN);
	assert_ptr_equal(config->routes[0].idp.access_token_audiences,
			 config->idp.access_token_audiences);
	/* an empty list allows none; it is not the same as no list */
	assert_non_null(config->routes[1].idp.access_token_audiences);
	assert_int_equal(config->routes[1].idp.access_token_audiences->count, 0);
	config_free(config);
}

static void test_bad_routes(void **state)
{
	static const struct {
		const char *text;
		const char *report;
	} cases[] = {
		{ ROUTE "    identity_providers: [ci]\n" ISSUERS,
		  "E c.yaml:4:25: routes[0].identity_providers needs bearer_token_format: jwt\n" },
		{ ROUTE "    identity_providers: [ci]\n    bearer_token_format: default\n" ISSUERS
			"bearer_token_format: jwt\n",
		  "E c.yaml:4:25: routes[0].identity_providers needs bearer_token_format: jwt\n" },
		{ ROUTE "    identity_providers: [ci, gh]\n    bearer_token_format: jwt\n" ISSUERS,
		  "E c.yaml:4:30: routes[0].identity_providers[1]: \"gh\" is not one of the global "
		  "identity_providers\n" },
		{ ROUTE "    identity_providers: []\n    bearer_token_format: jwt\n" ISSUERS,
		  "E c.yaml:5:26: routes[0].bearer_token_format: jwt needs identity_providers: the "
		  "names of those it takes\n" },
		{ ROUTE ISSUERS "bearer_token_format: jwt\n",
		  "E c.yaml:2:5: routes[0] needs identity_providers, as bearer_token_format is jwt "
		  "for all routes; or a bearer_token_format of its own\n" },
		{ ROUTE "    bearer_token_format: maybe\n",
		  "E c.yaml:4:26: routes[0].bearer_token_format: \"maybe\" is not one of default, "
		  "idp_access_token, idp_identity_token, jwt\n" },
		{ ROUTE "    bearer_token_format: idp_identity_token\n",
		  "E c.yaml:4:26: routes[0].bearer_token_format: needs an idp_provider that is not "
		  "local\n" },
		{ GOOGLE ROUTE "    idp_client_secret: s\n",
		  "E c.yaml:7:24: routes[0].idp_client_secret needs idp_client_id too\n" },
		{ GOOGLE ROUTE "    idp_client_id: i\n",
		  "E c.yaml:7:20: routes[0].idp_client_id needs idp_client_secret too\n" },
		{ ROUTE "    idp_client_id: i\n    idp_client_secret: s\n",
		  "E c.yaml:4:20: routes[0].idp_client_id needs an idp_provider that is not local: "
		  "it is a client of that\n" },
		/* a wrong entry is told once, not again by whoever names it */
		{ ROUTE "    identity_providers: ci\n    bearer_token_format: jwt\n"
			"identity_providers: {ci: {issuer: 'https://i'}}\n",
		  "E c.yaml:6:22: identity_providers.ci needs audiences: whom a token must have "
		  "been issued for\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),        cmocka_unit_test(test_bad_entries),
		cmocka_unit_test(test_too_many),          cmocka_unit_test(test_route_with_issuers),
		cmocka_unit_test(test_route_with_client), cmocka_unit_test(test_bad_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
