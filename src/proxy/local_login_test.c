/*
 * local_login_test.c - whom the login lets in, and how it slows guessing (extensions.md 2)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "identity/login_guard.h"
#include "identity/password.h"
#include "proxy/local_login.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/login_fixture.h"

/* ---- who is let in ---- */

struct try_row {
	const char *email;
	const char *password;
	int status;
};

static const struct try_row try_rows[] = {
	{ "alice@example.com", FIXTURE_PASSWORD, 303 },
	{ "ALICE@example.COM", FIXTURE_PASSWORD, 303 },
	{ "  alice@example.com ", FIXTURE_PASSWORD, 303 },
	{ "alice@example.com", "correct horse ", 401 },
	{ "alice@example.com", "Correct horse", 401 },
	{ "bob@example.com", "other password", 401 },
	{ "nobody@example.com", FIXTURE_PASSWORD, 401 },
	{ "mallory@example.com", FIXTURE_PASSWORD, 401 },
	{ "alice@example.com", "", 400 },
	{ "", FIXTURE_PASSWORD, 400 },
	{ "   ", FIXTURE_PASSWORD, 400 },
};

static void test_tries(void **state)
{
	struct login_fixture *l = *state;
	size_t sessions = 0;

	for (size_t i = 0; i < ARRAY_LEN(try_rows); i++) {
		const struct try_row *row = &try_rows[i];

		login_fixture_try(l, row->email, row->password);
		if (l->f.status != row->status)
			fail_msg("%s: %d", row->email, l->f.status);
		sessions += row->status == 303;
		assert_int_equal(store_index_size(l->f.worker.shared.store), sessions);
		assert_false(exchange_fixture_body_has(&l->f, FIXTURE_PASSWORD));
		assert_int_equal(
			row->status == 401,
			exchange_fixture_body_has(
				&l->f, "This e-mail and password do not belong together."));
	}
}

/* Nobody learns from the page whether an address exists. */
static void test_unknown_looks_the_same(void **state)
{
	struct login_fixture *l = *state;
	char *body;

	login_fixture_try(l, "alice@example.com", "wrong");
	body = str_copy(buf_view(&l->f.body));
	for (char *at = strstr(body, "alice"); at; at = strstr(body, "alice"))
		memcpy(at, "zelda", 5);
	login_fixture_try(l, "zelda@example.com", "wrong");
	assert_true(str_equal(buf_view(&l->f.body), str_from(body)));
	mem_free(body);
}

/* What nobody gives is checked against somebody else's hash, for the time it takes. */
static void test_password_of_somebody_else(void **state)
{
	static const char *const emails[] = { "zelda@example.com", "mallory@example.com", "bob" };
	struct login_fixture *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(emails); i++) {
		login_fixture_try(l, emails[i], FIXTURE_PASSWORD);
		assert_int_equal(l->f.status, 401);
	}
	login_fixture_try(l, "bob@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 303);
}

static void test_too_long(void **state)
{
	struct login_fixture *l = *state;
	char text[PASSWORD_MAX + 2];

	memset(text, 'a', sizeof(text));
	text[PASSWORD_MAX + 1] = '\0';
	login_fixture_try(l, "alice@example.com", text);
	assert_int_equal(l->f.status, 400);
	text[PASSWORD_MAX] = '\0';
	login_fixture_try(l, "alice@example.com", text);
	assert_int_equal(l->f.status, 401);
	memcpy(text + 243, "@example.com", 13); /* 255 */
	login_fixture_try(l, text, FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 400);
	memmove(text, text + 1, 255); /* 254 */
	login_fixture_try(l, text, FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 401);
}

static void test_success(void **state)
{
	struct login_fixture *l = *state;
	struct str rest;
	struct str cookie;

	(void)exchange_fixture_log(&l->f);
	login_fixture_try(l, "Alice@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 303);
	assert_true(str_equal(exchange_fixture_header(&l->f, "location"), buf_view(&l->next)));
	cookie = exchange_fixture_header(&l->f, "set-cookie");
	assert_true(str_starts_with(cookie, STR("_pomerium_authenticate=eyJ")));
	assert_true(str_ends_with(
		cookie, STR("; Path=/; Expires=Thu, 01 Jan 2026 14:00:00 GMT; HttpOnly; Secure")));
	rest = str_from_pos(buf_view(&l->f.headers), cookie.len + sizeof("set-cookie: "));
	assert_true(str_starts_with(
		rest, STR("set-cookie: _pomerium_csrf=; Path=/; Expires=Wed, 31 Dec 2025 "
			  "23:00:00 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Strict\n")));
	exchange_fixture_expect_log(
		&l->f,
		"{\"level\":\"info\",\"service\":\"authorize\",\"request-id\":\"<uuid>\",\"check-request-id\":\"<uuid>\","
		"\"method\":\"POST\",\"path\":\"/.pomerium/local/sign_in\",\"host\":\"authenticate.example.com\","
		"\"ip\":\"203.0.113.7\",\"user\":\"\",\"email\":\"\",\"route-id\":\"\",\"allow\":true,"
		"\"allow-why-true\":[\"pomerium-route\"],\"deny\":false,\"deny-why-false\":[],"
		"\"time\":\"2026-01-01T00:00:00Z\",\"message\":\"authorize check\"}\n"
		"{\"level\":\"info\",\"service\":\"authenticate\",\"request-id\":\"<uuid>\","
		"\"email\":\"alice@example.com\",\"ip\":\"203.0.113.7\",\"time\":\"2026-01-01T00:00:00Z\","
		"\"message\":\"logged in\"}\n"
		"{\"level\":\"info\",\"server-name\":\"all\",\"service\":\"envoy\",\"upstream-cluster\":\"\","
		"\"method\":\"POST\",\"authority\":\"authenticate.example.com\",\"path\":\"/.pomerium/local/sign_in\","
		"\"user-agent\":\"\",\"referer\":\"\",\"forwarded-for\":\"203.0.113.7\",\"request-id\":\"<uuid>\","
		"\"duration\":0.000,\"size\":0,\"response-code\":303,\"response-code-details\":\"via_upstream\","
		"\"time\":\"2026-01-01T00:00:00Z\",\"message\":\"http-request\"}\n");
}

static void test_email_is_escaped(void **state)
{
	struct login_fixture *l = *state;

	login_fixture_try(l, "\"><script>'&@example.com", "wrong");
	assert_int_equal(l->f.status, 401);
	assert_false(exchange_fixture_body_has(&l->f, "<script"));
	assert_true(exchange_fixture_body_has(
		&l->f, " value=\"&#34;&gt;&lt;script&gt;&#39;&amp;@example.com\""));
}

/* ---- guessing ---- */

static unsigned retry_after(struct login_fixture *l)
{
	uint64_t seconds = 0;

	assert_int_equal(l->f.status, 429);
	assert_true(str_to_uint64(exchange_fixture_header(&l->f, "retry-after"), &seconds));
	assert_true(exchange_fixture_body_has(&l->f, "Please wait "));
	assert_true(exchange_fixture_body_has(&l->f, "value=\"alice@example.com\""));
	return (unsigned)seconds;
}

static void test_guessing(void **state)
{
	struct login_fixture *l = *state;
	unsigned wait_s;

	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++) {
		login_fixture_try(l, "alice@example.com", "guess");
		assert_int_equal(l->f.status, 401);
	}
	/* Now even the right password is not looked at. */
	login_fixture_try(l, "alice@example.com", FIXTURE_PASSWORD);
	wait_s = retry_after(l);
	assert_in_range(wait_s, 1, LOGIN_GUARD_DELAY_MAX_S);
	assert_int_equal(store_index_size(l->f.worker.shared.store), 0);
	clock_fake_set_unix(FIXTURE_NOW + wait_s);
	login_fixture_try(l, "alice@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 303);
}

static void abort_while_hashing(struct login_fixture *l, const char *password)
{
	l->f.is_held = true;
	login_fixture_start_post(l, &(struct login_form_fields){ .email = "alice@example.com",
								 .password = password });
	l->f.is_held = false;
	assert_int_equal(l->f.worker.password_jobs, 1);
	exchange_abort(exchange_fixture_only(&l->f), "client-closed");
	assert_true(list_is_empty(&l->f.worker.exchanges));
	exchange_fixture_wait(&l->f);
	assert_int_equal(l->f.answer_count, 0);
	assert_int_equal(l->f.worker.password_jobs, 0);
}

/* Whoever goes away while the password is being checked has used up a try, right or wrong. */
static void test_gone_while_hashing(void **state)
{
	struct login_fixture *l = *state;

	(void)exchange_fixture_log(&l->f);
	abort_while_hashing(l, FIXTURE_PASSWORD);
	assert_non_null(
		strstr(exchange_fixture_log(&l->f),
		       "\"response-code\":0,\"response-code-details\":"
		       "\"downstream_remote_disconnect\",\"end-reason\":\"client-closed\""));
	for (int i = 1; i < LOGIN_GUARD_FREE_TRIES; i++)
		abort_while_hashing(l, "guess");
	assert_int_equal(store_index_size(l->f.worker.shared.store), 0);
	login_fixture_try(l, "alice@example.com", FIXTURE_PASSWORD);
	(void)retry_after(l);
}

static void come_from(struct login_fixture *l, const char *ip)
{
	assert_true(addr_from_ip(str_from(ip), 1, &l->f.connection.peer));
}

/* Such a try is over for the guard: it does not stay in progress behind the user's next success. */
static void test_gone_is_settled(void **state)
{
	struct login_fixture *l = *state;

	for (int i = 1; i < LOGIN_GUARD_FREE_TRIES; i++)
		abort_while_hashing(l, "guess");
	come_from(l, "203.0.113.8");
	login_fixture_try(l, "alice@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 303);
	come_from(l, "203.0.113.9");
	for (int i = 0; i < LOGIN_GUARD_FREE_TRIES; i++) {
		login_fixture_try(l, "alice@example.com", "guess");
		assert_int_equal(l->f.status, 401);
	}
}

/* Several jobs may be there when the worker ends: nothing may be left of them. */
static void test_end_while_hashing(void **state)
{
	struct login_fixture *l = *state;

	l->f.is_held = true;
	login_fixture_start_post(l, &(struct login_form_fields){ .email = "alice@example.com",
								 .password = FIXTURE_PASSWORD });
}

static void test_overloaded(void **state)
{
	struct login_fixture *l = *state;

	l->f.worker.password_jobs = WORKER_PASSWORD_JOBS_MAX;
	login_fixture_start_post(l, &(struct login_form_fields){ .email = "alice@example.com",
								 .password = FIXTURE_PASSWORD });
	l->f.worker.password_jobs = 0;
	assert_int_equal(l->f.status, 503);
	assert_true(
		str_equal(exchange_fixture_header(&l->f, "x-pomerium-reason"), STR("overloaded")));
}

static void test_store_is_full(void **state)
{
	struct login_fixture *l = *state;

	exchange_fixture_limit_store(&l->f, 1);
	login_fixture_try(l, "alice@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 303);
	login_fixture_try(l, "bob@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 503);
	assert_true(str_is_empty(exchange_fixture_header(&l->f, "set-cookie")));
	assert_non_null(strstr(exchange_fixture_log(&l->f), "\"message\":\"session not stored\""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tries, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_unknown_looks_the_same, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_password_of_somebody_else, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_too_long, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_success, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_email_is_escaped, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_guessing, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_gone_is_settled, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_gone_while_hashing, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_end_while_hashing, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_overloaded, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_store_is_full, login_fixture_setup,
						login_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
