#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "identity/oidc_token.h"

#define NOW 1700000000

static void assert_text(struct str is, const char *should)
{
	if (!str_equal(is, str_from(should)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(is), should);
}

static void test_tokens(void **state)
{
	static const struct {
		const char *body;
		const char *access_token;
		const char *refresh_token;
		const char *id_token;
		int64_t expires_unix;
	} cases[] = {
		{ "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":3600,"
		  "\"refresh_token\":\"r\",\"id_token\":\"h.p.s\",\"scope\":\"x\"}",
		  "a", "r", "h.p.s", NOW + 3600 },
		{ " {\"access_token\":\"a\"}\n", "a", "", "", 0 },
		{ "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":\"60\"}", "a",
		  "", "", NOW + 60 },
		{ "{\"access_token\":\"a\",\"expires_in\":59.9}", "a", "", "", NOW + 59 },
		{ "{\"access_token\":\"a\",\"error\":null}", "a", "", "", 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":0}", "a", "", "", NOW },
		{ "{\"access_token\":\"a\",\"expires_in\":null,\"refresh_token\":null}", "a", "",
		  "", 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":99999999999}", "a", "", "",
		  NOW + 366ll * 86400 },
		{ "{\"access_token\":\"a\",\"expires_in\":\"18446744073709551615\"}", "a", "", "",
		  NOW + 366ll * 86400 },
		{ "access_token=gho_16C7&scope=repo%2Cgist&token_type=bearer", "gho_16C7", "", "",
		  0 },
		{ "access_token=a%2Bb&refresh_token=r&expires_in=28800&token_type=bearer\n", "a+b",
		  "r", "", NOW + 28800 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct oidc_tokens tokens;
		struct err e = { 0 };

		if (oidc_tokens_parse(str_from(cases[i].body), NOW, &arena, &tokens, &e))
			fail_msg("%s: %s", cases[i].body, e.text);
		assert_text(tokens.access_token, cases[i].access_token);
		assert_text(tokens.refresh_token, cases[i].refresh_token);
		assert_text(tokens.id_token, cases[i].id_token);
		assert_int_equal(tokens.access_expires_unix, cases[i].expires_unix);
		arena_done(&arena);
	}
}

static void assert_tokens_refused(struct str body, const char *reason)
{
	struct arena arena = { 0 };
	struct oidc_tokens tokens = { .access_expires_unix = 77 };
	struct err e = { 0 };

	if (!oidc_tokens_parse(body, NOW, &arena, &tokens, &e))
		fail_msg("accepted: %.*s", STR_FMT(str_first(body, 100)));
	assert_int_equal(tokens.access_expires_unix, 77);
	if (!strstr(e.text, reason))
		fail_msg("%.*s: \"%s\" does not say \"%s\"", STR_FMT(str_first(body, 100)), e.text,
			 reason);
	arena_done(&arena);
}

static void test_tokens_refused(void **state)
{
	static const struct {
		struct str body;
		const char *reason;
	} cases[] = {
		{ STR(""), "no access token" },
		{ STR("<html>502 Bad Gateway</html>"), "no access token" },
		{ STR("[]"), "no access token" },
		{ STR("{}"), "no access token" },
		{ STR("{"), "not valid JSON" },
		{ STR("{\"access_token\":\"\"}"), "no access token" },
		{ STR("{\"access_token\":1}"), "not a string" },
		{ STR("{\"access_token\":[\"a\"]}"), "not a string" },
		{ STR("{\"access_token\":\"a\",\"access_token\":\"b\"}"), "twice" },
		{ STR("{\"access_token\":\"a\",\"id_token\":{}}"), "not a string" },
		{ STR("{\"access_token\":\"a\",\"token_type\":\"mac\"}"), "bearer" },
		{ STR("{\"access_token\":\"a\",\"token_type\":\"DPoP\"}"), "bearer" },
		{ STR("{\"access_token\":\"a\",\"expires_in\":-1}"), "number of seconds" },
		{ STR("{\"access_token\":\"a\",\"expires_in\":1e300}"), "number of seconds" },
		{ STR("{\"access_token\":\"a\",\"expires_in\":\"soon\"}"), "number of seconds" },
		{ STR("{\"access_token\":\"a\",\"expires_in\":true}"), "number of seconds" },
		{ STR("{\"access_token\":\"a\\r\\nX: y\"}"), "characters" },
		{ STR("{\"access_token\":\"a b\"}"), "characters" },
		{ STR("{\"access_token\":\"\xc3\xa4\"}"), "characters" },
		{ STR("{\"access_token\":\"a\",\"refresh_token\":\"\\n\"}"), "characters" },
		{ STR("{\"access_token\":\"a\",\"id_token\":\"\\t\"}"), "characters" },
		{ STR("{\"access_token\":\"a\\u0000\"}"), "not valid JSON" },
		{ STR("{\"access_token\":\"\xff\"}"), "not valid JSON" },
		{ STR("{\"error\":\"invalid_grant\"}"), "refused: invalid_grant" },
		{ STR("{\"access_token\":\"a\",\"error\":\"x\"}"), "refused: x" },
		{ STR("{\"error\":{\"code\":1}}"), "refused: no usable error code" },
		{ STR("{\"error\":\"evil\\nlog line\"}"), "refused: no usable error code" },
		{ STR("access_token=a&access_token=b"), "twice" },
		{ STR("access_token=%0d%0a"), "characters" },
		{ STR("access_token=%"), "broken" },
		{ STR("access_token=%00"), "broken" },
		{ STR("access_token=a&expires_in=-5"), "number of seconds" },
		{ STR("error=bad_verification_code&error_description=x"),
		  "refused: bad_verification_code" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_tokens_refused(cases[i].body, cases[i].reason);
}

static void fill(struct buf *text, const char *before, size_t len, const char *after)
{
	buf_truncate(text, 0);
	assert_int_equal(buf_append_str(text, str_from(before)), 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf_append_char(text, 'x'), 0);
	assert_int_equal(buf_append_str(text, str_from(after)), 0);
}

static void test_long_tokens(void **state)
{
	struct buf text = BUF_INIT(2 * OIDC_RESPONSE_MAX);
	struct arena arena = { 0 };
	struct oidc_tokens tokens;

	fill(&text, "{\"access_token\":\"", OIDC_TOKEN_MAX, "\"}");
	assert_int_equal(oidc_tokens_parse(buf_view(&text), NOW, &arena, &tokens, NULL), 0);
	fill(&text, "{\"access_token\":\"", OIDC_TOKEN_MAX + 1, "\"}");
	assert_tokens_refused(buf_view(&text), "longer");
	fill(&text, "{\"access_token\":\"a\",\"id_token\":\"", OIDC_TOKEN_MAX + 1, "\"}");
	assert_tokens_refused(buf_view(&text), "longer");
	fill(&text, "{\"access_token\":\"a\",\"x\":\"", OIDC_RESPONSE_MAX, "\"}");
	assert_tokens_refused(buf_view(&text), "longer");
	fill(&text, "access_token=", OIDC_TOKEN_MAX + 1, "");
	assert_tokens_refused(buf_view(&text), "longer");
	buf_done(&text);
	arena_done(&arena);
}

static void test_errors(void **state)
{
	static const struct {
		int status;
		struct str body;
		bool is_definitive;
		const char *text;
	} cases[] = {
		{ 400, STR("{\"error\":\"invalid_grant\"}"), true, "invalid_grant" },
		{ 400, STR("{\"error\":\"unauthorized_client\"}"), false, "unauthorized_client" },
		{ 401, STR("{\"error\":\"invalid_client\"}"), false, "invalid_client" },
		{ 401, STR("{\"error\":\"invalid_token\",\"error_description\":\"secret\"}"), true,
		  "invalid_token" },
		{ 403, STR("{\"error\":\"insufficient_scope\"}"), true, "insufficient_scope" },
		{ 200, STR("{\"error\":\"bad_refresh_token\"}"), true, "bad_refresh_token" },
		{ 200, STR("error=bad_verification_code"), true, "bad_verification_code" },
		{ 401, STR(""), true, "status 401" },
		{ 403, STR(" \n"), true, "status 403" },
		{ 401, STR("{\"message\":\"Bad credentials\"}"), true, "status 401" },
		{ 401, STR("{\"error\":{\"code\":401}}"), true, "status 401" },
		/* Temporary, whatever the body says. */
		{ 408, STR("{\"error\":\"invalid_grant\"}"), false, "invalid_grant" },
		{ 429, STR("{\"error\":\"invalid_grant\"}"), false, "invalid_grant" },
		{ 500, STR("{\"error\":\"invalid_grant\"}"), false, "invalid_grant" },
		{ 503, STR("{\"error\":\"invalid_grant\"}"), false, "invalid_grant" },
		{ 404, STR("{\"error\":\"not_found\"}"), false, "not_found" },
		{ 302, STR(""), false, "status 302" },
		{ 0, STR(""), false, "status 0" },
		{ -1, STR("{\"error\":\"invalid_grant\"}"), false, "invalid_grant" },
		/* Codes that say so themselves. */
		{ 400, STR("{\"error\":\"temporarily_unavailable\"}"), false,
		  "temporarily_unavailable" },
		{ 400, STR("{\"error\":\"server_error\"}"), false, "server_error" },
		{ 400, STR("{\"error\":\"slow_down\"}"), false, "slow_down" },
		/* No errors of the protocol: a proxy in between, a limit. */
		{ 400, STR(""), false, "status 400" },
		{ 400, STR("<html>Bad Request</html>"), false, "status 400" },
		{ 400, STR("{\"error\":1}"), false, "status 400" },
		{ 400, STR("{\"error\":\"\"}"), false, "status 400" },
		{ 400, STR("{\"error\":\"two words\"}"), false, "status 400" },
		{ 400, STR("{\"error\":\"invalid_grant\",\"error\":\"x\"}"), false, "status 400" },
		{ 400, STR("[\"invalid_grant\"]"), false, "status 400" },
		{ 401, STR("<html>Please log in to the hotel's network</html>"), false,
		  "status 401" },
		{ 401, STR("{\"truncated\":"), false, "status 401" },
		{ 403, STR("<html>Forbidden</html>"), false, "status 403" },
		{ 403, STR("{\"message\":\"API rate limit exceeded\"}"), false, "status 403" },
		{ 200, STR("{}"), false, "status 200" },
		{ 200, STR(""), false, "status 200" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		bool is = oidc_error_is_definitive(cases[i].status, cases[i].body, &e);

		if (is != cases[i].is_definitive || !strstr(e.text, cases[i].text))
			fail_msg("%d %.*s: %d, \"%s\"", cases[i].status, STR_FMT(cases[i].body), is,
				 e.text);
		assert_null(strstr(e.text, "secret"));
		assert_true(str_is_printable_ascii(str_from(e.text)));
	}
}

static void test_userinfo(void **state)
{
	static const struct str body = STR("{\"sub\":\"u1\",\"email\":\"a@b.example\"}");
	struct arena arena = { 0 };
	struct claims claims = { 0 };

	assert_int_equal(oidc_userinfo_parse(body, STR("u1"), &arena, &claims, NULL), 0);
	assert_text(claims_text(&claims, STR("email")), "a@b.example");
	assert_int_equal(oidc_userinfo_parse(body, STR(""), &arena, &claims, NULL), 0);
	assert_int_equal(oidc_userinfo_parse(STR("{}"), STR(""), &arena, &claims, NULL), 0);
	assert_int_equal(claims.count, 0);
	arena_done(&arena);
}

static void test_userinfo_refused(void **state)
{
	static const struct {
		struct str body;
		const char *reason;
	} cases[] = {
		{ STR(""), "not valid JSON" },
		{ STR("{}"), "no subject" },
		{ STR("[]"), "not a JSON object" },
		{ STR("{\"sub\":1}"), "no subject" },
		{ STR("{\"sub\":[\"u1\"]}"), "no subject" },
		{ STR("{\"sub\":\"u2\"}"), "another user" },
		{ STR("{\"sub\":\"u1 \"}"), "another user" },
		{ STR("{\"sub\":\"U1\"}"), "another user" },
		{ STR("{\"sub\":\"u1\",\"sub\":\"u1\"}"), "twice" },
		{ STR("{\"sub\":\"u1\",\"a\":\"\xff\"}"), "not valid JSON" },
		{ STR("{\"sub\":\"u1\",\"n\":1e999}"), "too large" },
		{ STR("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"), "signed" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct claims claims = { .count = 77 };
		struct err e = { 0 };

		if (!oidc_userinfo_parse(cases[i].body, STR("u1"), &arena, &claims, &e))
			fail_msg("accepted: %.*s", STR_FMT(cases[i].body));
		assert_int_equal(claims.count, 77);
		if (!strstr(e.text, cases[i].reason))
			fail_msg("%.*s: %s", STR_FMT(cases[i].body), e.text);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),      cmocka_unit_test(test_tokens_refused),
		cmocka_unit_test(test_long_tokens), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_userinfo),    cmocka_unit_test(test_userinfo_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
