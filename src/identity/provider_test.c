#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "identity/provider.h"

#define OFFLINE "openid profile email offline_access"
#define BASIC   "openid profile email"

/* configuration.md 9 */
static void test_rows(void **state)
{
	static const struct {
		const char *name;
		enum provider_kind kind;
		const char *url;
		const char *scopes;
		const char *first_param;
		enum provider_sign_out sign_out;
	} rows[] = {
		{ "oidc", PROVIDER_OIDC, NULL, OFFLINE, NULL, SIGN_OUT_END_SESSION },
		{ "okta", PROVIDER_OIDC, NULL, OFFLINE, NULL, SIGN_OUT_END_SESSION },
		{ "ping", PROVIDER_OIDC, NULL, OFFLINE, NULL, SIGN_OUT_END_SESSION },
		{ "auth0", PROVIDER_OIDC, NULL, OFFLINE, NULL, SIGN_OUT_AUTH0 },
		{ "azure", PROVIDER_OIDC, "https://login.microsoftonline.com/common/v2.0", OFFLINE,
		  "prompt", SIGN_OUT_END_SESSION },
		{ "cognito", PROVIDER_OIDC, NULL, BASIC, NULL, SIGN_OUT_COGNITO },
		{ "gitlab", PROVIDER_OIDC, "https://gitlab.com", BASIC, NULL,
		  SIGN_OUT_END_SESSION },
		{ "google", PROVIDER_OIDC, "https://accounts.google.com", BASIC, "prompt",
		  SIGN_OUT_END_SESSION },
		{ "onelogin", PROVIDER_OIDC, "https://openid-connect.onelogin.com/oidc", OFFLINE,
		  NULL, SIGN_OUT_END_SESSION },
		{ "github", PROVIDER_GITHUB, "https://github.com", "user:email read:org", NULL,
		  SIGN_OUT_END_SESSION },
		{ "local", PROVIDER_LOCAL, NULL, "", NULL, SIGN_OUT_END_SESSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct provider *p = provider_find(str_from(rows[i].name));

		assert_non_null(p);
		assert_string_equal(p->name, rows[i].name);
		assert_int_equal(p->kind, rows[i].kind);
		assert_true(str_equal(str_from(p->url), str_from(rows[i].url)));
		assert_string_equal(provider_scopes(p, str_from(p->url)), rows[i].scopes);
		assert_true(str_equal(str_from(p->params[0].name), str_from(rows[i].first_param)));
		assert_int_equal(p->sign_out, rows[i].sign_out);
		assert_int_equal(p->has_tenant_issuers, str_equal(str_from(p->name), STR("azure")));
		assert_int_equal(p->ends_with_slash, str_equal(str_from(p->name), STR("auth0")));
		assert_int_equal(p->ignores_scopes, str_equal(str_from(p->name), STR("onelogin")));
	}
}

static void test_params(void **state)
{
	const struct provider *google = provider_find(STR("google"));
	const struct provider *azure = provider_find(STR("azure"));

	assert_string_equal(google->params[0].value, "select_account consent");
	assert_string_equal(google->params[1].name, "access_type");
	assert_string_equal(google->params[1].value, "offline");
	assert_null(google->params[2].name);
	assert_string_equal(azure->params[0].value, "select_account");
	assert_null(azure->params[1].name);
}

static void test_onelogin_has_two_sets_of_scopes(void **state)
{
	const struct provider *onelogin = provider_find(STR("onelogin"));
	const struct provider *oidc = provider_find(STR("oidc"));
	struct str second = STR("https://example.onelogin.com/oidc/2");

	assert_string_equal(provider_scopes(onelogin, second), BASIC " groups");
	assert_string_equal(provider_scopes(onelogin, STR("https://example.onelogin.com/oidc")),
			    OFFLINE);
	assert_string_equal(provider_scopes(oidc, second), OFFLINE);
}

static void test_unknown(void **state)
{
	static const struct str names[] = { STR(""),       STR("OIDC"),    STR("apple"),
					    STR("hosted"), STR("google "), STR("goog") };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_null(provider_find(names[i]));
	assert_null(provider_find((struct str){ 0 }));
}

/* Every name that is told leads to a row, in order, and there are as many as rows. */
static void test_names(void **state)
{
	struct str rest = provider_names();
	struct str before = STR("");
	struct str name;
	size_t count = 0;

	while (str_cut(&rest, ',', &name)) {
		name = str_trim(name);
		assert_non_null(provider_find(name));
		assert_true(str_compare(before, name) < 0);
		before = name;
		count++;
	}
	assert_int_equal(count, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_onelogin_has_two_sets_of_scopes),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
