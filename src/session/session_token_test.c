#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "jose/jws.h"
#include "session/session_token.h"
#include "tests/vectors/vectors.h"

#define KEY STR("0123456789abcdef0123456789abcdef")

static void assert_text(struct str is, struct str should)
{
	assert_int_equal(is.len, should.len);
	if (should.len)
		assert_memory_equal(is.at, should.at, should.len);
}

static struct session_token token_of(const json_t *claims)
{
	const json_t *audience = vectors_get(claims, "aud");
	struct session_token token = {
		.issuer = vectors_str(claims, "iss"),
		.audience_count = json_array_size(audience),
		.session_id = vectors_str(claims, "jti"),
		.user_id = vectors_str(claims, "sub"),
		.idp_id = vectors_str(claims, "idp_id"),
		.issued_unix = vectors_int(claims, "iat"),
		.server_version = (uint64_t)vectors_int(claims, "databroker_server_version"),
		.record_version = (uint64_t)vectors_int(claims, "databroker_record_version"),
	};

	assert_in_range(token.audience_count, 1, SESSION_TOKEN_AUDIENCES_MAX);
	for (size_t i = 0; i < token.audience_count; i++)
		token.audience[i] = str_from(json_string_value(json_array_get(audience, i)));
	return token;
}

static void test_known_answer(void **state)
{
	json_t *root = vectors_load("session_jwt.json");
	json_t *login = vectors_load("login_flow.json");
	const json_t *session = vectors_get(root, "session");
	struct session_token token = token_of(vectors_get(session, "claims"));
	struct session_token read;
	_cleanup_(buf_done) struct buf key = BUF_INIT(32);
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct err e;

	vectors_base64(root, "key_base64", &key);
	assert_int_equal(session_token_issue(buf_view(&key), &token, &text, &e), 0);
	assert_text(buf_view(&text), vectors_str(session, "jwt"));
	assert_true(str_ends_with(vectors_str(login, "step5_location"), buf_view(&text)));

	assert_int_equal(session_token_read(buf_view(&key), buf_view(&text), &arena, &read, &e), 0);
	mem_wipe(text.data, text.len);
	assert_text(read.session_id, token.session_id);
	assert_text(read.user_id, token.user_id);
	assert_text(read.idp_id, token.idp_id);
	assert_int_equal(read.audience_count, 0);
	assert_int_equal(read.issuer.len, 0);
	assert_int_equal(read.issued_unix, 0);
	assert_int_equal(read.record_version, 0);
	json_decref(root);
	json_decref(login);
}

static void test_known_service_account(void **state)
{
	json_t *root = vectors_load("session_jwt.json");
	struct session_token read;
	_cleanup_(buf_done) struct buf key = BUF_INIT(32);
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct err e;

	vectors_base64(root, "key_base64", &key);
	assert_int_equal(
		session_token_read(buf_view(&key),
				   vectors_str(vectors_get(root, "service_account"), "jwt"), &arena,
				   &read, &e),
		0);
	assert_text(read.session_id, STR("8c7b9f0e-5a1e-4d1c-8f0a-0d3c2b1a0001"));
	assert_text(read.user_id, STR("ci-bot@example.com"));
	assert_int_equal(read.idp_id.len, 0);
	json_decref(root);
}

static void test_issued_service_account(void **state)
{
	json_t *root = vectors_load("session_jwt.json");
	struct service_account_token token = {
		.account_id = STR("8c7b9f0e-5a1e-4d1c-8f0a-0d3c2b1a0001"),
		.user_id = STR("ci-bot@example.com"),
		.issued_unix = 1767225600,
		.expires_unix = 1767312000,
	};
	struct session_token read;
	_cleanup_(buf_done) struct buf key = BUF_INIT(32);
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf endless = BUF_INIT(JWS_MAX);
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct err e;

	vectors_base64(root, "key_base64", &key);
	assert_int_equal(service_account_token_issue(buf_view(&key), &token, &text, &e), 0);
	assert_text(buf_view(&text), vectors_str(vectors_get(root, "service_account"), "jwt"));

	token.expires_unix = 0;
	assert_int_equal(service_account_token_issue(buf_view(&key), &token, &endless, &e), 0);
	assert_true(endless.len < text.len);
	assert_int_equal(session_token_read(buf_view(&key), buf_view(&endless), &arena, &read, &e),
			 0);
	assert_text(read.session_id, token.account_id);
	json_decref(root);
}

static void test_known_rejections(void **state)
{
	json_t *root = vectors_load("session_jwt.json");
	const json_t *cases = vectors_get(root, "reject");
	_cleanup_(buf_done) struct buf key = BUF_INIT(32);
	_cleanup_(arena_done) struct arena arena = { 0 };

	vectors_base64(root, "key_base64", &key);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		struct str text = vectors_str(json_array_get(cases, i), "jwt");
		struct session_token read = { .issued_unix = 77 };
		struct err e;

		assert_int_equal(session_token_read(buf_view(&key), text, &arena, &read, &e), -1);
		assert_int_equal(read.issued_unix, 77);
	}
	json_decref(root);
}

static void test_escaping(void **state)
{
	struct session_token token = { .session_id = STR("<&>\"\\"), .user_id = STR("\xc3\xa4/") };
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct session_token read;
	struct err e;

	token.server_version = UINT64_MAX;
	assert_int_equal(session_token_issue(KEY, &token, &text, &e), 0);
	assert_int_equal(jws_verify_hs256(KEY, buf_view(&text), &payload, &e), 0);
	assert_text(
		buf_view(&payload),
		STR("{\"aud\":[],\"databroker_record_version\":0,"
		    "\"databroker_server_version\":18446744073709551615,\"iat\":0,\"idp_id\":\"\","
		    "\"iss\":\"\",\"jti\":\"\\u003c\\u0026\\u003e\\\"\\\\\",\"sub\":\"\xc3\xa4/\"}"));
	assert_int_equal(session_token_read(KEY, buf_view(&text), &arena, &read, &e), 0);
	assert_text(read.session_id, token.session_id);
	assert_text(read.user_id, token.user_id);
}

static void test_payloads(void **state)
{
	static const struct {
		const char *payload;
		const char *user_id; /* NULL: refused */
	} cases[] = {
		{ "{\"jti\":\"1\"}", "" },
		{ "{\"jti\":\"1\",\"sub\":\"s\"}", "s" },
		{ "{\"jti\":\"1\",\"sub\":\"s\",\"oid\":\"o\"}", "o" },
		{ "{\"jti\":\"1\",\"oid\":\"o\"}", "o" },
		{ "{\"jti\":\"1\",\"sub\":\"s\",\"oid\":\"\"}", "s" },
		{ "{\"jti\":\"1\",\"exp\":1,\"nbf\":99999999999,\"aud\":\"x\",\"iss\":7}", "" },
		{ "{\"jti\":\"1\",\"databroker_server_version\":18446744073709551615}", "" },
		{ "{\"jti\":\"1\",\"databroker_server_version\":123456789012345678901234567890}",
		  "" },
		{ "{\"jti\":\"\"}", NULL },
		{ "{\"sub\":\"s\"}", NULL },
		{ "{\"jti\":1}", NULL },
		{ "{\"jti\":null}", NULL },
		{ "{\"jti\":[\"1\"]}", NULL },
		{ "{\"jti\":\"1\",\"sub\":2}", NULL },
		{ "{\"jti\":\"1\",\"oid\":2}", NULL },
		{ "{\"jti\":\"1\",\"idp_id\":false}", NULL },
		{ "{\"jti\":\"1\",\"jti\":\"2\"}", NULL },
		{ "{\"jti\":\"1\\u0000\"}", NULL },
		{ "{\"jti\":\"\xff\"}", NULL },
		{ "{\"jti\":\"1\"} {}", NULL },
		{ "{\"jti\":\"1\"", NULL },
		{ "[\"jti\",\"1\"]", NULL },
		{ "\"jti\"", NULL },
		{ "null", NULL },
		{ "x", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf text = BUF_INIT(JWS_MAX);
		_cleanup_(arena_done) struct arena arena = { 0 };
		struct session_token read = { 0 };
		struct err e;
		int rc;

		assert_int_equal(jws_sign_hs256(KEY, str_from(cases[i].payload), &text, &e), 0);
		rc = session_token_read(KEY, buf_view(&text), &arena, &read, &e);
		if (rc != (cases[i].user_id ? 0 : -1))
			fail_msg("payload %s", cases[i].payload);
		if (cases[i].user_id)
			assert_text(read.user_id, str_from(cases[i].user_id));
		else
			assert_int_equal(e.kind, ERR_PROTOCOL);
	}
}

static void test_too_long(void **state)
{
	static const char long_id[JWS_MAX];
	struct session_token token = { .session_id = str_of(long_id, sizeof(long_id)) };
	_cleanup_(buf_done) struct buf text = BUF_INIT(10 * JWS_MAX);
	struct err e;

	assert_int_equal(session_token_issue(KEY, &token, &text, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(text.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answer),
		cmocka_unit_test(test_known_service_account),
		cmocka_unit_test(test_issued_service_account),
		cmocka_unit_test(test_known_rejections),
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
