#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "identity/oidc_request.h"

static const struct oidc_login login = {
	.redirect_uri = STR("https://auth.example.com/oauth2/callback"),
	.state = STR("st&te=1"),
	.nonce = STR("n#1"),
	.code_verifier = STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
};

static const struct oidc_metadata metadata = {
	.issuer = STR("https://idp.example.com"),
	.authorization_endpoint = STR("https://idp.example.com/auth"),
	.token_endpoint = STR("https://idp.example.com/token"),
	.userinfo_endpoint = STR("https://idp.example.com/me"),
	.revocation_endpoint = STR("https://idp.example.com/revoke"),
	.end_session_endpoint = STR("https://idp.example.com/end"),
	.has_pkce = true,
};

static struct oidc_client client_of(const char *provider)
{
	return (struct oidc_client){
		.provider = provider_find(str_from(provider)),
		.url = STR("https://idp.example.com"),
		.client_id = STR("cl:ent"),
		.client_secret = STR("s%cret +&/:\xc3\xa4"),
		.scopes = STR("openid profile email"),
	};
}

static void assert_text(struct str is, const char *should)
{
	if (!str_equal(is, str_from(should)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(is), should);
}

/* RFC 7636, appendix B. */
static void test_pkce_challenge(void **state)
{
	struct arena arena = { 0 };

	assert_text(pkce_challenge(login.code_verifier, &arena),
		    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	arena_done(&arena);
}

static void test_pkce_verifier(void **state)
{
	char one[PKCE_VERIFIER_LEN + 1];
	char other[PKCE_VERIFIER_LEN + 1];

	pkce_verifier_new(one);
	pkce_verifier_new(other);
	assert_int_equal(strlen(one), PKCE_VERIFIER_LEN);
	assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_"),
			 PKCE_VERIFIER_LEN);
	assert_string_not_equal(one, other);
}

static void assert_authorization(const struct oidc_client *client, const struct oidc_metadata *m,
				 const char *should)
{
	struct arena arena = { 0 };
	struct err e = { 0 };
	struct str url = STR("");

	if (oidc_authorization_url(client, m, &login, &arena, &url, &e))
		fail_msg("%s", e.text);
	assert_text(url, should);
	arena_done(&arena);
}

#define REDIRECT "redirect_uri=https%3A%2F%2Fauth.example.com%2Foauth2%2Fcallback"
#define OPENID                                                                                     \
	"client_id=cl%3Aent&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"            \
	"&code_challenge_method=S256&nonce=n%231&" REDIRECT "&response_type=code"                  \
	"&scope=openid+profile+email&state=st%26te%3D1"

static void test_authorization(void **state)
{
	struct oidc_client client = client_of("oidc");
	struct oidc_metadata plain = metadata;

	assert_authorization(&client, &metadata, "https://idp.example.com/auth?" OPENID);
	plain.has_pkce = false;
	client.scopes = STR("");
	assert_authorization(&client, &plain,
			     "https://idp.example.com/auth?client_id=cl%3Aent&nonce=n%231&" REDIRECT
			     "&response_type=code&state=st%26te%3D1");
}

static void test_authorization_github(void **state)
{
	struct oidc_client client = client_of("github");
	struct oidc_metadata *m;

	client.url = STR("https://github.com");
	client.scopes = STR("user:email read:org");
	m = oidc_metadata_fixed(&client);
	assert_authorization(&client, m,
			     "https://github.com/login/oauth/authorize?client_id=cl%3Aent&" REDIRECT
			     "&response_type=code&scope=user%3Aemail+read%3Aorg&state=st%26te%3D1");
	oidc_metadata_unref(m);
}

/* Further parameters are added, and never in the place of the protocol's own. */
static void test_params(void **state)
{
	static const struct query_param params[] = {
		{ STR("prompt"), STR("select_account consent") },
		{ STR("acr"), STR("a&state=evil") },
		{ STR("client_id"), STR("evil") },
		{ STR("redirect_uri"), STR("https://evil.example") },
		{ STR("response_type"), STR("token") },
		{ STR("scope"), STR("evil") },
		{ STR("state"), STR("evil") },
		{ STR("nonce"), STR("evil") },
		{ STR("code_challenge"), STR("evil") },
		{ STR("code_challenge_method"), STR("plain") },
		{ STR("request"), STR("evil") },
		{ STR("request_uri"), STR("evil") },
	};
	struct oidc_client client = client_of("oidc");
	struct oidc_metadata m = metadata;

	client.params = params;
	client.param_count = ARRAY_LEN(params);
	assert_authorization(&client, &m,
			     "https://idp.example.com/auth?acr=a%26state%3Devil&client_id=cl%3Aent"
			     "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
			     "&code_challenge_method=S256&nonce=n%231&prompt=select_account+consent"
			     "&" REDIRECT
			     "&response_type=code&scope=openid+profile+email&state=st%26te%3D1");
	/* The endpoint's own query stays, loses against ours and against what is configured. */
	m.authorization_endpoint = STR(
		"https://idp.example.com/auth?p=b2c&state=evil&client_id=evil&prompt=none");
	client.param_count = 1;
	assert_authorization(&client, &m,
			     "https://idp.example.com/auth?client_id=cl%3Aent"
			     "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
			     "&code_challenge_method=S256&nonce=n%231&p=b2c"
			     "&prompt=select_account+consent&" REDIRECT
			     "&response_type=code&scope=openid+profile+email&state=st%26te%3D1");
}

static void test_too_many_params(void **state)
{
	struct query_param params[QUERY_PARAMS_MAX];
	struct oidc_client client = client_of("oidc");
	struct arena arena = { 0 };
	struct str url = STR("untouched");
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(params); i++)
		params[i] = (struct query_param){ STR("x"), STR("y") };
	client.params = params;
	client.param_count = 50;
	assert_int_equal(oidc_authorization_url(&client, &metadata, &login, &arena, &url, &e), 0);
	url = STR("untouched");
	client.param_count = QUERY_PARAMS_MAX;
	assert_int_equal(oidc_authorization_url(&client, &metadata, &login, &arena, &url, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_text(url, "untouched");
	arena_done(&arena);
}

/* "cl%3Aent:s%25cret+%2B%26%2F%3A%C3%A4" in base64, by another implementation. */
#define BASIC "Basic Y2wlM0FlbnQ6cyUyNWNyZXQrJTJCJTI2JTJGJTNBJUMzJUE0"

static void test_code(void **state)
{
	struct oidc_client client = client_of("oidc");
	struct oidc_metadata m = metadata;
	struct arena arena = { 0 };
	struct oidc_call call;

	oidc_code_call(&client, &m, &login, STR("c/d e"), &arena, &call);
	assert_text(call.url, "https://idp.example.com/token");
	assert_text(call.authorization, BASIC);
	assert_text(call.body, "code=c%2Fd+e&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_"
			       "wW1gFWFOEjXk&grant_type=authorization_code&" REDIRECT);
	m.takes_secret_in_body = true;
	m.has_pkce = false;
	oidc_code_call(&client, &m, &login, STR("c"), &arena, &call);
	assert_text(call.authorization, "");
	assert_text(call.body, "client_id=cl%3Aent&client_secret=s%25cret+%2B%26%2F%3A%C3%A4&code=c"
			       "&grant_type=authorization_code&" REDIRECT);
	client.client_secret = STR("");
	m.takes_secret_in_body = false;
	oidc_code_call(&client, &m, &login, STR("c"), &arena, &call);
	assert_text(call.authorization, "");
	assert_text(call.body, "client_id=cl%3Aent&code=c&grant_type=authorization_code&" REDIRECT);
	arena_done(&arena);
}

static void test_refresh_and_revocation(void **state)
{
	struct oidc_client client = client_of("oidc");
	struct oidc_metadata m = metadata;
	struct arena arena = { 0 };
	struct oidc_call call;

	oidc_refresh_call(&client, &m, STR("r+t"), &arena, &call);
	assert_text(call.url, "https://idp.example.com/token");
	assert_text(call.authorization, BASIC);
	assert_text(call.body, "grant_type=refresh_token&refresh_token=r%2Bt");
	oidc_revocation_call(&client, &m, STR("r+t"), &arena, &call);
	assert_text(call.url, "https://idp.example.com/revoke");
	assert_text(call.authorization, BASIC);
	assert_text(call.body, "token=r%2Bt");
	m.revocation_endpoint = STR("");
	oidc_revocation_call(&client, &m, STR("r+t"), &arena, &call);
	assert_text(call.url, "");
	assert_text(call.authorization, "");
	assert_text(call.body, "");
	arena_done(&arena);
}

static void test_userinfo(void **state)
{
	struct oidc_client github = client_of("github");
	struct oidc_metadata m = metadata;
	struct oidc_metadata *fixed;
	struct arena arena = { 0 };
	struct oidc_call call;

	oidc_userinfo_call(&m, STR("tok"), &arena, &call);
	assert_text(call.url, "https://idp.example.com/me");
	assert_text(call.authorization, "Bearer tok");
	assert_text(call.body, "");
	m.userinfo_endpoint = STR("");
	oidc_userinfo_call(&m, STR("tok"), &arena, &call);
	assert_text(call.url, "");
	assert_text(call.authorization, "");
	github.url = STR("https://github.com");
	fixed = oidc_metadata_fixed(&github);
	github_emails_call(fixed, STR("tok"), &arena, &call);
	assert_text(call.url, "https://api.github.com/user/emails");
	assert_text(call.authorization, "Bearer tok");
	oidc_metadata_unref(fixed);
	arena_done(&arena);
}

static void assert_sign_out(const char *provider, const struct oidc_metadata *m,
			    const char *id_token, const char *return_to, const char *should)
{
	struct oidc_client client = client_of(provider);
	struct arena arena = { 0 };

	assert_text(oidc_sign_out_url(&client, m, str_from(id_token), str_from(return_to), &arena),
		    should);
	arena_done(&arena);
}

static void test_sign_out(void **state)
{
	struct oidc_metadata m = metadata;

	assert_sign_out("oidc", &m, "a.b.c", "https://me/?x=1",
			"https://idp.example.com/end?client_id=cl%3Aent&id_token_hint=a.b.c"
			"&post_logout_redirect_uri=https%3A%2F%2Fme%2F%3Fx%3D1");
	assert_sign_out("oidc", &m, "", "", "https://idp.example.com/end?client_id=cl%3Aent");
	m.end_session_endpoint = STR("https://idp.example.com/end?p=b2c&client_id=evil"
				     "&post_logout_redirect_uri=evil");
	assert_sign_out("azure", &m, "", "",
			"https://idp.example.com/end?client_id=cl%3Aent&p=b2c");
	m.issuer = STR("https://t.auth0.com/");
	assert_sign_out(
		"auth0", &m, "a.b.c", "https://me",
		"https://t.auth0.com/v2/logout?client_id=cl%3Aent&returnTo=https%3A%2F%2Fme");
	assert_sign_out("cognito", &m, "a.b.c", "https://me",
			"https://idp.example.com/logout?client_id=cl%3Aent"
			"&logout_uri=https%3A%2F%2Fme");
	m.end_session_endpoint = STR("");
	assert_sign_out("oidc", &m, "a.b.c", "https://me", "");
}

/* An address that is too long for the provider's server would sign nobody out. */
static void test_sign_out_with_a_long_token(void **state)
{
	struct buf token = BUF_INIT(10000);

	while (token.len < 9000)
		assert_int_equal(buf_append_char(&token, 'x'), 0);
	assert_int_equal(buf_append_char(&token, '\0'), 0);
	assert_sign_out("oidc", &metadata, (const char *)token.data, "https://me",
			"https://idp.example.com/end?client_id=cl%3Aent"
			"&post_logout_redirect_uri=https%3A%2F%2Fme");
	buf_done(&token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pkce_challenge),
		cmocka_unit_test(test_pkce_verifier),
		cmocka_unit_test(test_authorization),
		cmocka_unit_test(test_authorization_github),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_too_many_params),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_refresh_and_revocation),
		cmocka_unit_test(test_userinfo),
		cmocka_unit_test(test_sign_out),
		cmocka_unit_test(test_sign_out_with_a_long_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
