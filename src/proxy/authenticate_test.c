/*
 * authenticate_test.c - where a token may be shown, and which tokens are good (protocol.md 2.1, 2.2)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "jose/jws.h"
#include "proxy/authenticate.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"

/* Replaces $A and $B by the tokens. */
static char *fill_in(const char *text, const char *token_a, const char *token_b)
{
	struct buf out = BUF_INIT(FIXTURE_LINES_MAX);

	for (; *text; text++) {
		if (text[0] == '$' && (text[1] == 'A' || text[1] == 'B'))
			(void)buf_append_str(&out, str_from(*++text == 'A' ? token_a : token_b));
		else
			(void)buf_append_char(&out, *text);
	}
	return buf_take_string(&out);
}

struct source_row {
	const char *request;
	enum credential credential;
	char who; /* 'A'lice, 'B'ob or '-' */
};

#define HEAD "GET /.pomerium/ HTTP/1.1\r\nHost: redis.example.com\r\n"

static const struct source_row source_rows[] = {
	{ HEAD "\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Cookie: _pomerium=$A\r\n\r\n", CREDENTIAL_COOKIE, 'A' },
	{ HEAD "Cookie: a=b; _pomerium=$A; c=d\r\n\r\n", CREDENTIAL_COOKIE, 'A' },
	{ HEAD "Cookie: _pomerium=$A; _pomerium=$B\r\n\r\n", CREDENTIAL_COOKIE, 'A' },
	{ HEAD "Cookie: _pomerium_authenticate=$A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Cookie: _POMERIUM=$A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "X-Pomerium-Authorization: $A\r\n\r\n", CREDENTIAL_HEADER, 'A' },
	{ HEAD "x-pomerium-AUTHORIZATION: $A\r\n\r\n", CREDENTIAL_HEADER, 'A' },
	{ HEAD "X-Pomerium-Authorization: Pomerium $A\r\n\r\n", CREDENTIAL_HEADER, '-' },
	{ HEAD "Authorization: Pomerium $A\r\n\r\n", CREDENTIAL_HEADER, 'A' },
	{ HEAD "Authorization: Bearer Pomerium-$A\r\n\r\n", CREDENTIAL_HEADER, 'A' },
	{ HEAD "Authorization: pomerium $A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: POMERIUM $A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: bearer Pomerium-$A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: Bearer pomerium-$A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: Bearer $A\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: Basic eDp5\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: Pomerium\r\n\r\n", CREDENTIAL_NONE, '-' },
	{ HEAD "Authorization: Pomerium  $A\r\n\r\n", CREDENTIAL_HEADER, '-' },
	{ HEAD "Authorization: Pomerium not.a.jwt\r\n\r\n", CREDENTIAL_HEADER, '-' },
	/* The first source that has something counts, however bad. */
	{ HEAD "X-Pomerium-Authorization: $A\r\nAuthorization: Pomerium $B\r\n\r\n",
	  CREDENTIAL_HEADER, 'A' },
	{ HEAD "Authorization: Pomerium $B\r\nX-Pomerium-Authorization: $A\r\n\r\n",
	  CREDENTIAL_HEADER, 'A' },
	{ HEAD "Authorization: Pomerium $B\r\nX-Pomerium-Authorization: junk\r\n\r\n",
	  CREDENTIAL_HEADER, '-' },
	{ HEAD "Cookie: _pomerium=$B\r\nAuthorization: Pomerium $A\r\n\r\n", CREDENTIAL_COOKIE,
	  'B' },
	{ HEAD "Cookie: _pomerium=stale\r\nAuthorization: Pomerium $A\r\n\r\n", CREDENTIAL_COOKIE,
	  '-' },
	{ "GET /?pomerium_session=$A HTTP/1.1\r\nHost: h.example\r\n\r\n", CREDENTIAL_QUERY, 'A' },
	{ "GET /?x=1&pomerium_session=$A&y HTTP/1.1\r\nHost: h.example\r\n\r\n", CREDENTIAL_QUERY,
	  'A' },
	{ "GET /?pomerium_session=$A&%zz HTTP/1.1\r\nHost: h.example\r\n\r\n", CREDENTIAL_NONE,
	  '-' },
	{ "GET /?pomerium_session=$A HTTP/1.1\r\nHost: h.example\r\nAuthorization: Pomerium $B\r\n\r\n",
	  CREDENTIAL_HEADER, 'B' },
	{ "CONNECT redis.example.com:6379 HTTP/1.1\r\nHost: redis.example.com:6379\r\n"
	  "Cookie: _pomerium=$A\r\n\r\n",
	  CREDENTIAL_COOKIE, 'A' },
	{ "CONNECT redis.example.com:6379 HTTP/1.1\r\nHost: redis.example.com:6379\r\n"
	  "Authorization: Pomerium $A\r\n\r\n",
	  CREDENTIAL_HEADER, 'A' },
};

static void test_sources(void **state)
{
	struct exchange_fixture *f = *state;
	char *token_a = exchange_fixture_log_in(f, "alice@example.com");
	char *token_b = exchange_fixture_log_in(f, "bob@example.com");

	for (size_t i = 0; i < ARRAY_LEN(source_rows); i++) {
		const struct source_row *row = &source_rows[i];
		char *request = fill_in(row->request, token_a, token_b);
		bool is_good = row->who != '-';
		struct exchange x;

		exchange_fixture_begin(f, &x, request);
		assert_int_equal(stage_authenticate(&x), STEP_NEXT);
		if (x.credential != row->credential || !x.session == is_good)
			fail_msg("%s", row->request);
		if (is_good)
			assert_int_equal(x.session->who->name.at[0], row->who);
		/* A problem is named exactly where something was shown that is no good. */
		if (!x.credential_problem == (row->credential != CREDENTIAL_NONE && !is_good))
			fail_msg("%s: %s", row->request, x.credential_problem);
		exchange_fixture_end(&x);
		mem_free(request);
	}
	mem_free_secret(token_a);
	mem_free_secret(token_b);
}

/* The store may have to be asked: so it is a whole request, which ends with the dial or before it. */
static void expect_token(struct exchange_fixture *f, const char *token, const char *problem)
{
	exchange_fixture_sendf(f,
			       "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE
			       "\r\nX-Pomerium-Authorization: %s\r\n\r\n",
			       token);
	if (problem) {
		assert_null(f->dial);
		assert_int_equal(f->status, 401);
		assert_true(str_equal(exchange_fixture_header(f, "x-pomerium-reason"),
				      str_from(problem)));
	} else {
		assert_non_null(f->dial);
		exchange_fixture_dial_fails(f, ERR_REFUSED);
		exchange_fixture_settle(f);
		assert_int_equal(f->status, 503);
	}
}

static char *sign(struct exchange_fixture *f, const char *payload, const char *other_key)
{
	struct buf text = BUF_INIT(JWS_MAX);
	struct str key = other_key ? str_from(other_key) : f->worker.snapshot->shared_key;

	assert_int_equal(jws_sign_hs256(key, str_from(payload), &text, NULL), 0);
	return buf_take_string(&text);
}

static void expect_claims(struct exchange_fixture *f, const struct session *session,
			  const char *more, const char *problem)
{
	char payload[512];
	char *token;

	(void)snprintf(payload, sizeof(payload), "{\"jti\":\"%s\"%s}", session->id, more);
	token = sign(f, payload, NULL);
	expect_token(f, token, problem);
	mem_free_secret(token);
}

/* Only the signature, the record and the provider decide. */
static void test_claims(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 3600);
	char payload[256];
	char *token;

	expect_claims(f, session, "", NULL);
	expect_claims(f, session, ",\"sub\":\"user-1\"", NULL);
	expect_claims(f, session, ",\"idp_id\":\"\"", NULL);
	expect_claims(f, session, ",\"idp_id\":\"another\"", "session-unknown");
	expect_claims(f, session, ",\"exp\":1,\"nbf\":99999999999,\"iss\":\"x\",\"aud\":[\"y\"]",
		      NULL);

	(void)snprintf(payload, sizeof(payload), "{\"jti\":\"%s\"}", session->id);
	token = sign(f, payload, "another key of the wrong people");
	expect_token(f, token, "session-unknown");
	mem_free_secret(token);
	token = sign(f, "{\"jti\":\"3b241101-e2bb-4255-8caf-4136c566a962\"}", NULL);
	expect_token(f, token, "session-unknown");
	mem_free_secret(token);
	token = sign(f, "{\"sub\":\"user-1\"}", NULL);
	expect_token(f, token, "session-unknown");
	mem_free_secret(token);
	expect_token(f, "", "session-unknown");
	expect_token(f, "eyJhbGciOiJub25lIn0.e30.", "session-unknown");
	session_unref(session);
}

static void test_expiry(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 100);
	char *token = exchange_fixture_token(f, session);

	clock_fake_set_unix(FIXTURE_NOW + 99);
	expect_token(f, token, NULL);
	clock_fake_set_unix(FIXTURE_NOW + 100);
	expect_token(f, token, "session-expired");
	store_run(f->worker.shared.store,
		  &(struct store_call){ .verb = STORE_PURGE, .now_unix = clock_now_unix() });
	expect_token(f, token, "session-unknown");
	mem_free_secret(token);
	session_unref(session);
}

static void test_deleted(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 100);
	char *token = exchange_fixture_token(f, session);

	assert_true(exchange_fixture_forget(f, session->id));
	expect_token(f, token, "session-unknown");
	mem_free_secret(token);
	session_unref(session);
}

#define ALICE(more)                                                                                \
	"idp_provider: local\nlocal_users:\n- {email: alice@example.com, " more "}\n" FIXTURE_ROUTES
#define OTHER_HASH "$2b$04$abcdefghijklmnopqrstuuuoX.G2LWONLka0dZbtbKebBnMNsBkKG"

/* Editing the list of users is a revocation, and only what matters is one (extensions.md 2). */
static void test_edited_users(void **state)
{
	static const struct {
		const char *settings;
		const char *problem;
	} rows[] = {
		{ FIXTURE_USERS FIXTURE_ROUTES, NULL },
		{ ALICE("id: user-1, name: Another, groups: [x], password_hash: " FIXTURE_HASH),
		  NULL },
		{ ALICE("id: user-1, password_hash: " OTHER_HASH), "session-unknown" },
		{ ALICE("id: user-9, password_hash: " FIXTURE_HASH), "session-unknown" },
		{ ALICE("id: user-1, disabled: true, password_hash: " FIXTURE_HASH),
		  "session-unknown" },
		{ "idp_provider: local\nlocal_users:\n- {email: eve@example.com, id: user-1, "
		  "password_hash: " FIXTURE_HASH "}\n" FIXTURE_ROUTES,
		  "session-unknown" },
	};
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		exchange_fixture_reload(f, rows[i].settings);
		expect_token(f, token, rows[i].problem);
	}
	mem_free_secret(token);
}

/* Who somebody is, is what the list says now: a group that was taken away opens nothing any more. */
static void test_edited_groups(void **state)
{
	static const struct {
		const char *settings;
		const char *group; /* NULL: none */
	} rows[] = {
		{ ALICE("id: user-1, name: Alice, groups: [x], password_hash: " FIXTURE_HASH),
		  "x" },
		{ ALICE("id: user-1, name: Alice, password_hash: " FIXTURE_HASH), NULL },
		{ FIXTURE_USERS FIXTURE_ROUTES, "eng" },
	};
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char *request = fill_in(HEAD "Authorization: Pomerium $A\r\n\r\n", token, "");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct identity *who;
		struct exchange x;

		exchange_fixture_reload(f, rows[i].settings);
		exchange_fixture_begin(f, &x, request);
		assert_int_equal(stage_authenticate(&x), STEP_NEXT);
		who = x.session->who;
		assert_int_equal(who->group_count, rows[i].group != NULL);
		if (rows[i].group)
			assert_true(str_equal(who->groups[0], str_from(rows[i].group)));
		assert_int_equal(claims_find(&who->claims, STR("groups"))->value_count,
				 who->group_count);
		exchange_fixture_end(&x);
	}
	mem_free_secret(request);
	mem_free_secret(token);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sources, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_claims, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_expiry, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_deleted, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_edited_groups, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_edited_users, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
