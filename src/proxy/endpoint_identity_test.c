/*
 * endpoint_identity_test.c - what somebody is told about himself (protocol.md 4.2, 5)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "jose/jwks.h"
#include "tests/support/exchange_fixture.h"

#define SETTINGS                                                                                   \
	FIXTURE_SETTINGS                                                                           \
	"runtime_flags: {pomerium_jwt_endpoint: true}\n"                                           \
	"jwt_claims_headers: {X-Verified: email_verified, X-None: nothing}\n"

static void get(struct exchange_fixture *f, const char *path, const char *token)
{
	exchange_fixture_sendf(f,
			       "GET %s HTTP/1.1\r\nHost: redis.example.com:8443\r\n"
			       "Authorization: Pomerium %s\r\n\r\n",
			       path, token);
}

/* The session of the fixture ends in an hour. */
#define HEADERS                                                                                    \
	"cache-control: no-store\nx-content-type-options: nosniff\n"                               \
	"x-pomerium-session-expires: 1767229200\n"                                                 \
	"server: pomerium\nx-request-id: <uuid>\n"

static void test_user(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");

	get(f, "/.pomerium/user", token);
	exchange_fixture_expect(f, 200, "content-type: application/json\n" HEADERS);
	exchange_fixture_expect_body(
		f, "{\"email\":\"alice@example.com\",\"groups\":[\"eng\"],\"name\":\"Alice\","
		   "\"sid\":\"<uuid>\",\"sub\":\"user-1\",\"user\":\"user-1\"}");
	exchange_fixture_reload(f, SETTINGS);
	get(f, "/.pomerium/user", token);
	assert_true(exchange_fixture_body_has(f, "\"email_verified\":\"true\""));
	assert_false(exchange_fixture_body_has(f, "nothing"));
	assert_false(exchange_fixture_body_has(f, "\"iss\""));
	mem_free_secret(token);
}

/* Whoever has nothing but the published keys can tell that it is ours. */
static void expect_genuine(struct exchange_fixture *f, struct buf *payload)
{
	struct buf token = BUF_INIT(FIXTURE_LINES_MAX);
	struct jwks *keys = NULL;
	struct err e = { 0 };

	(void)buf_append_str(&token, buf_view(&f->body));
	exchange_fixture_send(f, STR("GET /.well-known/pomerium/jwks.json HTTP/1.1\r\n"
				     "Host: redis.example.com\r\n\r\n"));
	assert_int_equal(jwks_parse(buf_view(&f->body), &keys, &e), 0);
	*payload = BUF_INIT(FIXTURE_LINES_MAX);
	if (jwt_verify(keys, 1u << JWS_ES256, buf_view(&token), payload, &e) != JWT_GENUINE)
		fail_msg("%s", e.text);
	jwks_unref(keys);
	buf_done(&token);
}

static void test_jwt(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	struct buf masked = BUF_INIT(FIXTURE_LINES_MAX);
	struct buf payload;

	exchange_fixture_reload(f, SETTINGS);
	get(f, "/.pomerium/jwt", token);
	exchange_fixture_expect(f, 200, "content-type: application/jwt\n" HEADERS);
	expect_genuine(f, &payload);
	exchange_fixture_mask(buf_view(&payload), &masked);
	(void)buf_append_char(&masked, '\0');
	assert_string_equal(
		(const char *)masked.data,
		"{\"aud\":\"redis.example.com\",\"email\":\"alice@example.com\","
		"\"email_verified\":\"true\",\"exp\":1767225900,\"groups\":[\"eng\"],"
		"\"iat\":1767225600,\"iss\":\"redis.example.com\",\"jti\":\"<uuid>\","
		"\"name\":\"Alice\",\"sid\":\"<uuid>\",\"sub\":\"user-1\",\"user\":\"user-1\"}");
	buf_done(&payload);
	buf_done(&masked);

	exchange_fixture_reload(f, SETTINGS "jwt_issuer_format: uri\n");
	get(f, "/.pomerium/jwt", token);
	expect_genuine(f, &payload);
	assert_true(
		str_contains(buf_view(&payload), STR("\"iss\":\"https://redis.example.com/\"")));
	buf_done(&payload);
	mem_free_secret(token);
}

/* A service account is told about itself in the same way. */
static void test_service_account(void **state)
{
	struct exchange_fixture *f = *state;
	const struct identity who = { .user_id = STR("robot"), .email = STR("") };
	struct session_facts facts = {
		.kind = SESSION_SERVICE_ACCOUNT,
		.who = identity_new(&who),
		.issued_unix = FIXTURE_NOW,
	};
	struct session *session = session_new(&facts);
	char *token;

	identity_unref(facts.who);
	exchange_fixture_store(f, session);
	token = exchange_fixture_token(f, session);
	get(f, "/.pomerium/user", token);
	assert_int_equal(f->status, 200);
	assert_true(exchange_fixture_body_has(f, "\"sub\":\"robot\""));
	assert_true(exchange_fixture_body_has(f, "\"groups\":[]"));
	mem_free_secret(token);
	session_unref(session);
}

/* Whoever asks, it does not even exist without its flag. */
static void test_no_jwt_without_its_flag(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");

	get(f, "/.pomerium/jwt", token);
	assert_int_equal(f->status, 404);
	get(f, "/.pomerium/jwt", "a.b.c");
	assert_int_equal(f->status, 404);
	exchange_fixture_send(f, STR("GET /.pomerium/jwt HTTP/1.1\r\nHost: redis.example.com\r\n"
				     "Accept: text/html\r\n\r\n"));
	assert_int_equal(f->status, 404);
	mem_free_secret(token);
}

static void test_login_is_needed(void **state)
{
	static const char *const paths[] = { "/.pomerium/user", "/.pomerium/jwt" };
	struct exchange_fixture *f = *state;

	exchange_fixture_reload(f, SETTINGS);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		get(f, paths[i], "a.b.c");
		assert_int_equal(f->status, 401);
		exchange_fixture_sendf(f,
				       "GET %s HTTP/1.1\r\nHost: redis.example.com\r\n"
				       "Accept: text/html\r\n\r\n",
				       paths[i]);
		assert_int_equal(f->status, 302);
		exchange_fixture_sendf(f, "POST %s HTTP/1.1\r\nHost: redis.example.com\r\n\r\n",
				       paths[i]);
		assert_int_equal(f->status, 405);
		exchange_fixture_sendf(f, "GET %s/ HTTP/1.1\r\nHost: redis.example.com\r\n\r\n",
				       paths[i]);
		assert_int_equal(f->status, 301);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_user, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_jwt, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_no_jwt_without_its_flag,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_service_account, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_login_is_needed, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
