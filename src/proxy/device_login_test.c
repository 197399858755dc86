/*
 * device_login_test.c - the machine's side of a login from another machine (extensions.md 8, RFC 8628)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "jose/jwks.h"
#include "proxy/device_guard.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/device_fixture.h"

#define HEADERS                                                                                    \
	"content-type: application/json\ncache-control: no-store\n"                                \
	"x-content-type-options: nosniff\nserver: pomerium\nx-request-id: <uuid>\n"

static void test_asking(void **state)
{
	struct device_fixture *d = *state;
	char expected[1024];

	device_fixture_ask(d, "build-17");
	exchange_fixture_expect(&d->f, 200, HEADERS);
	(void)snprintf(expected, sizeof(expected),
		       "{\"device_code\":\"%s\",\"user_code\":\"%s\","
		       "\"verification_uri\":\"https://authenticate.example.com/.pomerium/device\","
		       "\"verification_uri_complete\":"
		       "\"https://authenticate.example.com/.pomerium/device?user_code=%s\","
		       "\"expires_in\":600,\"interval\":2}\n",
		       d->code, d->user_code, d->user_code);
	exchange_fixture_expect_body(&d->f, expected);
	assert_int_equal(strlen(d->code), 43);
	assert_int_equal(strlen(d->user_code), 9);
	assert_int_equal(d->user_code[4], '-');
	assert_int_equal(strspn(d->user_code, "BCDFGHJKLMNPQRSTVWXZ-"), 9);
}

/* Without a login host of its own, the page is where the machine asked. */
static void test_asking_without_login_host(void **state)
{
	struct device_fixture *d = *state;

	exchange_fixture_reload(&d->f, FIXTURE_USERS);
	device_fixture_ask(d, NULL);
	assert_true(exchange_fixture_body_has(&d->f, "\"verification_uri\":\"https://" DEVICE_HOST
						     "/.pomerium/device\""));
}

static void test_bad_questions(void **state)
{
	static const struct {
		const char *type;
		const char *host;
		const char *body;
		int status;
	} rows[] = {
		{ "", DEVICE_HOST, "", 200 },
		{ "application/x-www-form-urlencoded; charset=utf-8", DEVICE_HOST,
		  "client_id=x&scope=openid", 200 },
		{ "application/json", DEVICE_HOST, "{}", 400 },
		{ "", DEVICE_HOST, "client_name=x", 400 },
		{ "application/x-www-form-urlencoded", DEVICE_HOST, "client_name=%zz", 400 },
		{ "application/x-www-form-urlencoded", DEVICE_HOST, "client_name=%00", 400 },
		{ "application/x-www-form-urlencoded", DEVICE_HOST, "client_name=a&client_name=b",
		  400 },
	};
	struct device_fixture *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		exchange_fixture_sendf(&d->f,
				       "POST " DEVICE_ASK_PATH " HTTP/1.1\r\nHost: %s\r\n"
				       "Content-Type: %s\r\n\r\n%s",
				       rows[i].host, rows[i].type, rows[i].body);
		if (d->f.status != rows[i].status)
			fail_msg("%s: %d", rows[i].body, d->f.status);
		if (rows[i].status == 400)
			device_fixture_expect_error(d, "invalid_request");
	}
	/* To no host at all. */
	exchange_fixture_send(&d->f, STR("POST " DEVICE_ASK_PATH " HTTP/1.0\r\n\r\n"));
	device_fixture_expect_error(d, "invalid_request");
}

static void test_asking_too_often(void **state)
{
	struct device_fixture *d = *state;

	for (unsigned i = 0; i < DEVICE_LOGINS_PER_SOURCE_MAX; i++)
		device_fixture_ask(d, NULL);
	exchange_fixture_send(
		&d->f, STR("POST " DEVICE_ASK_PATH " HTTP/1.1\r\nHost: " DEVICE_HOST "\r\n\r\n"));
	assert_int_equal(d->f.status, 429);
	assert_true(str_equal(exchange_fixture_header(&d->f, "retry-after"), STR("600")));
	assert_true(exchange_fixture_body_has(&d->f, "\"error\":\"slow_down\""));
}

static void test_full_store(void **state)
{
	struct device_fixture *d = *state;

	exchange_fixture_limit_store(&d->f, 1);
	device_fixture_ask(d, NULL);
	exchange_fixture_send(
		&d->f, STR("POST " DEVICE_ASK_PATH " HTTP/1.1\r\nHost: " DEVICE_HOST "\r\n\r\n"));
	assert_int_equal(d->f.status, 503);
	assert_true(
		str_equal(exchange_fixture_header(&d->f, "x-pomerium-reason"), STR("overloaded")));
}

/* ---- polls ---- */

static int connect_status(struct device_fixture *d, const char *token)
{
	exchange_fixture_sendf(&d->f,
			       "GET /.pomerium/user HTTP/1.1\r\nHost: redis.example.com\r\n"
			       "Authorization: Bearer Pomerium-%s\r\n\r\n",
			       token);
	return d->f.status;
}

static void test_yes(void **state)
{
	struct device_fixture *d = *state;
	struct buf payload = BUF_INIT(4096);
	struct err e = { 0 };
	char *token;

	device_fixture_ask(d, "build-17");
	device_fixture_poll(d);
	device_fixture_expect_error(d, "authorization_pending");
	assert_true(str_is_empty(exchange_fixture_header(&d->f, "x-pomerium-reason")));
	device_fixture_answer(d, "yes");
	device_fixture_poll(d);
	exchange_fixture_expect(&d->f, 200, HEADERS);
	assert_true(exchange_fixture_body_has(&d->f, "{\"access_token\":\""));
	assert_true(exchange_fixture_body_has(&d->f, "\",\"token_type\":\"Pomerium\"}\n"));
	token = device_fixture_json_text(d, "access_token");

	/* For the host that the machine asked, of the session that said yes. */
	assert_int_equal(jwt_peek(str_from(token), &payload, &e), 0);
	assert_true(str_contains(buf_view(&payload),
				 STR("[\"authenticate.example.com\",\"" DEVICE_HOST "\"]")));
	buf_done(&payload);
	assert_int_equal(connect_status(d, token), 200);
	assert_true(exchange_fixture_body_has(&d->f, "alice@example.com"));
	mem_free_secret(token);

	/* Once. */
	device_fixture_poll(d);
	device_fixture_expect_error(d, "expired_token");
}

static void test_no(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "no");
	device_fixture_poll(d);
	device_fixture_expect_error(d, "access_denied");
	assert_true(str_equal(exchange_fixture_header(&d->f, "x-pomerium-reason"), STR("denied")));
	device_fixture_poll(d);
	device_fixture_expect_error(d, "expired_token");
}

static void test_expiry(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	clock_fake_advance_ms(1000 * DEVICE_LIFE_S - 2000 * DEVICE_INTERVAL_S);
	device_fixture_poll(d);
	device_fixture_expect_error(d, "authorization_pending");
	device_fixture_poll(d);
	device_fixture_expect_error(d, "expired_token");

	/* Yes was said in time, but the machine comes too late. */
	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "yes");
	clock_fake_advance_ms(1000 * DEVICE_LIFE_S);
	device_fixture_poll_with(d, d->code);
	device_fixture_expect_error(d, "expired_token");
}

/* Patience is no offence. */
static void test_many_polls(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	for (unsigned i = 0; i < DEVICE_UNKNOWN_PER_SOURCE_MAX + 10; i++) {
		device_fixture_poll(d);
		device_fixture_expect_error(d, "authorization_pending");
	}
}

static void test_slow_down(void **state)
{
	struct device_fixture *d = *state;
	char first[64];

	device_fixture_ask(d, NULL);
	memcpy(first, d->code, sizeof(first));
	device_fixture_poll_with(d, d->code);
	device_fixture_expect_error(d, "authorization_pending");
	device_fixture_poll_with(d, d->code);
	device_fixture_expect_error(d, "slow_down");
	/* Another machine has its own time. */
	device_fixture_ask(d, NULL);
	device_fixture_poll_with(d, d->code);
	device_fixture_expect_error(d, "authorization_pending");
	/* Too fast is no end. */
	device_fixture_pause();
	device_fixture_poll_with(d, first);
	device_fixture_expect_error(d, "authorization_pending");
}

#define FORM "grant_type=" DEVICE_GRANT "&device_code="
#define ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_bad_polls(void **state)
{
	static const struct {
		const char *body;
		const char *error;
	} rows[] = {
		{ "", "invalid_request" },
		{ "device_code=" ZERO, "invalid_request" },
		{ "grant_type=" DEVICE_GRANT, "invalid_request" },
		{ FORM, "invalid_request" },
		{ FORM ZERO "&device_code=" ZERO, "invalid_request" },
		{ FORM ZERO "&grant_type=x", "invalid_request" },
		{ FORM "%zz", "invalid_request" },
		{ "grant_type=authorization_code&code=x", "unsupported_grant_type" },
		{ "grant_type=password&username=a&password=b", "unsupported_grant_type" },
		{ "grant_type=Urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x",
		  "unsupported_grant_type" },
		{ FORM "x", "invalid_grant" },
		{ FORM ZERO "A", "invalid_grant" },
		{ FORM "%2e%2e/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "invalid_grant" },
		{ FORM ZERO, "expired_token" },
	};
	struct device_fixture *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		exchange_fixture_sendf(&d->f,
				       "POST " DEVICE_TOKEN_PATH " HTTP/1.1\r\n"
				       "Host: " DEVICE_HOST "\r\nContent-Type: "
				       "application/x-www-form-urlencoded\r\n\r\n%s",
				       rows[i].body);
		device_fixture_expect_error(d, rows[i].error);
	}
	exchange_fixture_send(&d->f, STR("POST " DEVICE_TOKEN_PATH " HTTP/1.1\r\n"
					 "Host: " DEVICE_HOST
					 "\r\nContent-Type: text/plain\r\n\r\n" FORM ZERO));
	device_fixture_expect_error(d, "invalid_request");
}

/* Device codes cannot be guessed, and not even be tried for long. */
static void test_unknown_codes(void **state)
{
	struct device_fixture *d = *state;
	char code[64];

	device_fixture_ask(d, NULL);
	for (unsigned i = 0; i < DEVICE_UNKNOWN_PER_SOURCE_MAX; i++) {
		(void)snprintf(code, sizeof(code), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%05uA", i);
		device_fixture_poll_with(d, code);
		device_fixture_expect_error(d, "expired_token");
	}
	device_fixture_poll_with(d, ZERO);
	device_fixture_expect_error(d, "slow_down");
}

/* ---- the session that said yes ---- */

static void test_session_has_ended(void **state)
{
	struct device_fixture *d = *state;
	struct session *session = exchange_fixture_session(&d->f, "bob@example.com", 3600);

	mem_free_secret(d->session);
	d->session = exchange_fixture_token(&d->f, session);
	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "yes");
	assert_true(exchange_fixture_forget(&d->f, session->id));
	device_fixture_poll(d);
	device_fixture_expect_error(d, "access_denied");
	device_fixture_poll(d);
	device_fixture_expect_error(d, "expired_token");
	session_unref(session);
}

static void test_session_has_expired(void **state)
{
	struct device_fixture *d = *state;
	struct session *session = exchange_fixture_session(&d->f, "bob@example.com", 5);

	mem_free_secret(d->session);
	d->session = exchange_fixture_token(&d->f, session);
	session_unref(session);
	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "yes");
	clock_fake_advance_ms(10000);
	device_fixture_poll(d);
	device_fixture_expect_error(d, "access_denied");
}

/* ---- races ---- */

/* Two polls find that yes was said, here and at another gateway; the other one is faster. */
static void test_one_poll_wins(void **state)
{
	struct device_fixture *d = *state;
	struct store_call other = { .verb = STORE_REMOVE, .kind = RECORD_DEVICE_LOGIN };

	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "yes");
	device_code_hash(str_from(d->code), other.key);
	d->f.is_held = true;
	device_fixture_poll(d);
	store_run(d->f.worker.shared.store, &other); /* behind ours, which only reads */
	assert_int_equal(other.result, STORE_DONE);
	assert_int_equal(other.item.device->state, DEVICE_APPROVED);
	store_call_done(&other);
	exchange_fixture_settle(&d->f);
	device_fixture_expect_error(d, "expired_token");
}

/* The machine goes away while the store is asked. */
static void test_machine_leaves(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "yes");
	d->f.is_held = true;
	device_fixture_poll(d);
	exchange_abort(exchange_fixture_only(&d->f), "client-closed");
	exchange_fixture_settle(&d->f);
	d->f.is_held = false;
	/* Nothing was used up. */
	device_fixture_poll(d);
	assert_int_equal(d->f.status, 200);
}

#define WITH_DEVICE(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, device_fixture_set_up, device_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_DEVICE(test_asking),
		WITH_DEVICE(test_asking_without_login_host),
		WITH_DEVICE(test_bad_questions),
		WITH_DEVICE(test_asking_too_often),
		WITH_DEVICE(test_full_store),
		WITH_DEVICE(test_yes),
		WITH_DEVICE(test_no),
		WITH_DEVICE(test_expiry),
		WITH_DEVICE(test_many_polls),
		WITH_DEVICE(test_slow_down),
		WITH_DEVICE(test_bad_polls),
		WITH_DEVICE(test_unknown_codes),
		WITH_DEVICE(test_session_has_ended),
		WITH_DEVICE(test_session_has_expired),
		WITH_DEVICE(test_one_poll_wins),
		WITH_DEVICE(test_machine_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
