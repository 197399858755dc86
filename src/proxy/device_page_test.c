/*
 * device_page_test.c - the person's side of a login from another machine (extensions.md 8)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/device_guard.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/device_fixture.h"

static void open_code(struct device_fixture *d)
{
	char query[64];

	(void)snprintf(query, sizeof(query), "?user_code=%s", d->user_code);
	device_fixture_open(d, query);
}

static void log_out(struct device_fixture *d)
{
	mem_free_secret(TAKE(d->session));
}

static bool body_has(struct device_fixture *d, const char *text)
{
	return exchange_fixture_body_has(&d->f, text);
}

static void expect_unknown(struct device_fixture *d)
{
	assert_int_equal(d->f.status, 400);
	assert_true(body_has(d, "role=\"alert\">This code is not known."));
	assert_true(body_has(d, "name=\"user_code\""));
	assert_false(body_has(d, "value=\"yes\""));
}

/* ---- the way to the question ---- */

static void test_code_form(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_open(d, "");
	assert_int_equal(d->f.status, 200);
	assert_true(body_has(d, "<form method=\"get\" action=\"/.pomerium/device\">"));
	assert_true(body_has(d, "<label for=\"user_code\">"));
	device_fixture_open(d, "?user_code=");
	assert_int_equal(d->f.status, 200);
}

static void test_question(void **state)
{
	static const char *const facts[] = {
		"<b>alice@example.com</b>",
		"<dd>build &lt;17&gt;</dd>",
		"<dd>" FIXTURE_PEER "</dd>",
		"(Thu, 01 Jan 2026 00:00:00 GMT)",
		"<button type=\"submit\" name=\"answer\" value=\"yes\">",
		"<button type=\"submit\" name=\"answer\" value=\"no\"",
	};
	struct device_fixture *d = *state;
	char code[64];

	device_fixture_ask(d, "build+%3C17%3E");
	open_code(d);
	assert_int_equal(d->f.status, 200);
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		if (!body_has(d, facts[i]))
			fail_msg("%s", facts[i]);
	(void)snprintf(code, sizeof(code), "<p class=\"code\">%s</p>", d->user_code);
	assert_true(body_has(d, code));
	assert_false(body_has(d, d->code));
	assert_true(str_contains(exchange_fixture_header(&d->f, "content-security-policy"),
				 STR("frame-ancestors 'none'")));
	/* To have seen the question is no answer. */
	device_fixture_poll(d);
	device_fixture_expect_error(d, "authorization_pending");
}

/* However it is typed. */
static void test_spellings(void **state)
{
	struct device_fixture *d = *state;
	char query[64];
	size_t len;

	device_fixture_ask(d, NULL);
	(void)snprintf(query, sizeof(query), "?user_code=%.4s%s", d->user_code, d->user_code + 5);
	device_fixture_open(d, query);
	assert_int_equal(d->f.status, 200);
	(void)snprintf(query, sizeof(query), "?user_code=+%.4s+-+%s+", d->user_code,
		       d->user_code + 5);
	len = strlen(query);
	for (size_t i = 11; i < len; i++)
		if (query[i] >= 'A' && query[i] <= 'Z')
			query[i] = (char)(query[i] - 'A' + 'a');
	device_fixture_open(d, query);
	assert_int_equal(d->f.status, 200);
	assert_true(body_has(d, "value=\"yes\""));
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = {
		"%3Cscript%3Ealert(1)%3C/script%3E",
		"%22+onclick%3D%22alert(1)",
		"%0d%0aset-cookie:+a%3Db",
		"%e2%80%ae%1b[31m",
		"%ff%fe%80",
		"%c3",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct device_fixture *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str body;

		device_fixture_ask(d, names[i]);
		open_code(d);
		assert_int_equal(d->f.status, 200);
		assert_false(body_has(d, "<script"));
		assert_false(body_has(d, "\" onclick"));
		body = buf_view(&d->f.body);
		for (size_t j = 0; j < body.len; j++)
			assert_true(body.at[j] == '\n' || (unsigned char)body.at[j] >= ' ');
		assert_false(body_has(d, "\xe2\x80\xae"));
		assert_true(str_is_empty(exchange_fixture_header(&d->f, "a")));
		device_fixture_answer(d, "no");
	}
	/* In the log as well. */
	assert_null(strstr(exchange_fixture_log(&d->f), "\x1b"));
}

static void test_login_first(void **state)
{
	static const char before[] = "https://" FIXTURE_AUTH_HOST "/.pomerium/sign_in?";
	struct device_fixture *d = *state;
	char target[128];
	struct str location;

	log_out(d);
	device_fixture_ask(d, NULL);
	open_code(d);
	assert_int_equal(d->f.status, 303);
	location = exchange_fixture_header(&d->f, "location");
	assert_true(str_starts_with(location, str_from(before)));
	(void)snprintf(target, sizeof(target),
		       "pomerium_redirect_uri=https%%3A%%2F%%2F" FIXTURE_AUTH_HOST
		       "%%2F.pomerium%%2Fdevice%%3Fuser_code%%3D%.4s%s&",
		       d->user_code, d->user_code + 5);
	assert_true(str_contains(location, str_from(target)));

	/* The sign-in page takes the link, and begins a login. */
	exchange_fixture_sendf(
		&d->f, "GET %.*s HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n\r\n",
		STR_FMT(str_from_pos(location, strlen("https://" FIXTURE_AUTH_HOST))));
	assert_int_equal(d->f.status, 302);

	/* Nothing that is no code goes along. */
	device_fixture_open(d, "?user_code=https://evil.example");
	assert_int_equal(d->f.status, 303);
	assert_true(str_contains(exchange_fixture_header(&d->f, "location"),
				 STR("%2F.pomerium%2Fdevice&pomerium_signature=")));
}

/* A route's cookie or a token in a header is no login here: only what no other site can send along. */
static void test_other_credentials(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	exchange_fixture_sendf(&d->f,
			       "GET " DEVICE_PAGE_PATH "?user_code=%s HTTP/1.1\r\n"
			       "Host: " FIXTURE_AUTH_HOST "\r\nCookie: _pomerium=%s\r\n\r\n",
			       d->user_code, d->session);
	assert_int_equal(d->f.status, 303);
	exchange_fixture_sendf(&d->f,
			       "GET " DEVICE_PAGE_PATH "?user_code=%s HTTP/1.1\r\n"
			       "Host: " FIXTURE_AUTH_HOST "\r\nAuthorization: Pomerium %s\r\n\r\n",
			       d->user_code, d->session);
	assert_int_equal(d->f.status, 303);
}

static void test_service_account(void **state)
{
	struct device_fixture *d = *state;
	const struct identity who = { .user_id = STR("robot") };
	struct session_facts facts = {
		.kind = SESSION_SERVICE_ACCOUNT,
		.idp_id = str_from(d->f.worker.snapshot->idps.global->id),
		.who = identity_new(&who),
		.issued_unix = FIXTURE_NOW,
	};
	struct session *session = session_new(&facts);

	identity_unref(facts.who);
	exchange_fixture_store(&d->f, session);
	log_out(d);
	d->session = exchange_fixture_token(&d->f, session);
	session_unref(session);
	device_fixture_ask(d, NULL);
	open_code(d);
	assert_int_equal(d->f.status, 303);
}

/* The host that the machine asked has a client of its own at the provider: a login with another one is of no use there. */
#define TWO_CLIENTS                                                                                \
	FIXTURE_LOGIN                                                                              \
	"idp_provider: oidc\nidp_provider_url: https://idp.example.com\n"                          \
	"idp_client_id: one\nidp_client_secret: hush\nroutes:\n"                                   \
	"- from: tcp+https://redis.example.com:6379\n  to: tcp://10.0.0.5:6379\n"                  \
	"  allow_any_authenticated_user: true\n"                                                   \
	"  idp_client_id: two\n  idp_client_secret: hush\n"

static void log_in_with(struct device_fixture *d, const struct idp *idp)
{
	const struct identity who = { .user_id = STR("user-1"), .email = STR("ann@example.com") };
	struct session_facts facts = {
		.idp_id = str_from(idp->id),
		.who = identity_new(&who),
		.issued_unix = FIXTURE_NOW,
	};
	struct session *session = session_new(&facts);

	identity_unref(facts.who);
	exchange_fixture_store(&d->f, session);
	log_out(d);
	d->session = exchange_fixture_token(&d->f, session);
	session_unref(session);
}

static void test_provider_of_host(void **state)
{
	struct device_fixture *d = *state;
	const struct idp *needed;
	char param[128];

	exchange_fixture_reload(&d->f, TWO_CLIENTS);
	needed = d->f.worker.snapshot->routes.routes[0].idp;
	assert_ptr_not_equal(needed, d->f.worker.snapshot->idps.global);
	log_in_with(d, d->f.worker.snapshot->idps.global);
	device_fixture_ask(d, NULL);
	open_code(d);
	assert_int_equal(d->f.status, 303);
	(void)snprintf(param, sizeof(param), "pomerium_idp_id=%s&", needed->id);
	assert_true(str_contains(exchange_fixture_header(&d->f, "location"), str_from(param)));
	log_in_with(d, needed);
	device_fixture_answer(d, "yes");
	device_fixture_poll(d);
	assert_int_equal(d->f.status, 200);
}

/* ---- codes that are not known ---- */

static void test_unknown_codes(void **state)
{
	static const char *const queries[] = {
		"?user_code=BCDF-GHJK",    "?user_code=x",
		"?user_code=AEIO-UAEI",    "?user_code=BCDF-GHJKL",
		"?user_code=%3Cscript%3E", "?user_code=%22autofocus",
	};
	struct device_fixture *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		device_fixture_open(d, queries[i]);
		expect_unknown(d);
		assert_false(body_has(d, "<script"));
		assert_false(body_has(d, "\"\"autofocus"));
	}
	device_fixture_open(d, "?user_code=%zz");
	assert_int_equal(d->f.status, 400);
}

static void test_old_codes(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	clock_fake_advance_ms(1000 * DEVICE_LIFE_S);
	open_code(d);
	expect_unknown(d);
	device_fixture_ask(d, NULL);
	device_fixture_answer(d, "yes");
	open_code(d);
	expect_unknown(d);
	/* What was said stays said. */
	device_fixture_submit(d, &(struct device_form){ .answer = "no" });
	expect_unknown(d);
	device_fixture_poll(d);
	assert_int_equal(d->f.status, 200);
}

static void test_guessing(void **state)
{
	struct device_fixture *d = *state;
	char minutes[64];

	device_fixture_ask(d, NULL);
	for (unsigned i = 0; i < DEVICE_GUESSES_MAX; i++) {
		open_code(d); /* the right one does not count */
		assert_int_equal(d->f.status, 200);
		device_fixture_open(d, "?user_code=BCDF-GHJK");
		expect_unknown(d);
	}
	open_code(d);
	assert_int_equal(d->f.status, 429);
	assert_true(str_equal(exchange_fixture_header(&d->f, "retry-after"), STR("600")));
	(void)snprintf(minutes, sizeof(minutes), "Please wait %d minutes", DEVICE_LIFE_S / 60);
	assert_true(body_has(d, minutes));
	device_fixture_submit(d, &(struct device_form){ 0 });
	assert_int_equal(d->f.status, 429);
	/* The machine may still ask. */
	device_fixture_poll(d);
	device_fixture_expect_error(d, "authorization_pending");
}

/* ---- the form ---- */

static void test_answers(void **state)
{
	struct device_fixture *d = *state;

	(void)exchange_fixture_log(&d->f);
	device_fixture_ask(d, "build-17");
	device_fixture_answer(d, "yes");
	assert_true(body_has(d, "<h1>The other machine is logged in</h1>"));
	assert_non_null(strstr(exchange_fixture_log(&d->f),
			       "\"email\":\"alice@example.com\",\"ip\":\"" FIXTURE_PEER
			       "\",\"client-name\":\"build-17\",\"client-ip\":\"" FIXTURE_PEER
			       "\",\"time\":\"2026-01-01T00:00:00Z\","
			       "\"message\":\"login of a machine approved\""));
	device_fixture_ask(d, "build-17");
	device_fixture_answer(d, "no");
	assert_true(body_has(d, "<h1>The other machine was refused</h1>"));
	assert_non_null(strstr(exchange_fixture_log(&d->f), "login of a machine refused"));
}

static void test_forged_forms(void **state)
{
	static const char zeros[] =
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	const struct device_form rows[] = {
		{ .csrf = "" },
		{ .csrf = zeros },
		{ .cookie = "" },
		{ .cookie = zeros },
		{ .csrf = zeros, .cookie = zeros },
		{ .csrf = "", .cookie = "" },
		{ .headers = "Origin: https://evil.example\r\n" },
		{ .headers = "Origin: null\r\n" },
		{ .headers = "Origin: https://redis.example.com\r\n" },
		{ .headers = "Origin: http://" FIXTURE_AUTH_HOST "\r\n" },
		{ .answer = "" },
		{ .answer = "maybe" },
		{ .answer = "YES" },
	};
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	open_code(d);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		device_fixture_submit(d, &rows[i]);
		if (d->f.status != 400)
			fail_msg("%zu: %d", i, d->f.status);
		device_fixture_poll(d);
		device_fixture_expect_error(d, "authorization_pending");
	}
	/* It was not the rest of the form; and not every browser says where it comes from. */
	device_fixture_submit(d, &(struct device_form){ .headers = "" });
	assert_int_equal(d->f.status, 200);
	device_fixture_poll(d);
	assert_int_equal(d->f.status, 200);
}

static void test_other_content_type(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	open_code(d);
	exchange_fixture_sendf(&d->f,
			       "POST " DEVICE_PAGE_PATH " HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST
			       "\r\n"
			       "Content-Type: text/plain\r\n"
			       "Cookie: _pomerium_csrf=%s; _pomerium_authenticate=%s\r\n\r\n"
			       "csrf=%s&user_code=%s&answer=yes",
			       d->csrf, d->session, d->csrf, d->user_code);
	assert_int_equal(d->f.status, 400);
}

static void test_bad_code_in_form(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	open_code(d);
	device_fixture_submit(d, &(struct device_form){ .user_code = "BCDFGHJK" });
	expect_unknown(d);
	device_fixture_submit(d, &(struct device_form){ .user_code = "x" });
	expect_unknown(d);
}

/* The login ended while the question was on the screen: it is asked again, not answered. */
static void test_form_without_login(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	open_code(d);
	log_out(d);
	device_fixture_submit(d, &(struct device_form){ 0 });
	assert_int_equal(d->f.status, 303);
	assert_true(str_contains(exchange_fixture_header(&d->f, "location"),
				 STR("%2F.pomerium%2Fdevice%3Fuser_code%3D")));
	device_fixture_poll(d);
	device_fixture_expect_error(d, "authorization_pending");
}

/* ---- races ---- */

/* No is said elsewhere between our look and our answer. */
static void test_other_answer_first(void **state)
{
	struct device_fixture *d = *state;
	struct store *store = d->f.worker.shared.store;
	struct store_call get = { .verb = STORE_GET, .kind = RECORD_DEVICE_LOGIN };
	struct store_call put = { .verb = STORE_PUT, .kind = RECORD_DEVICE_LOGIN };
	struct device_login facts;

	device_fixture_ask(d, NULL);
	open_code(d);
	d->f.is_held = true;
	device_fixture_submit(d, &(struct device_form){ 0 });
	device_code_hash(str_from(d->code), get.key);
	store_run(store, &get);
	facts = *get.item.device;
	facts.state = DEVICE_DENIED;
	put.expected_version = facts.record_version;
	put.item.device = device_login_new(&facts);
	store_run(store, &put);
	assert_int_equal(put.result, STORE_DONE);
	store_call_done(&get);
	store_call_done(&put);
	exchange_fixture_settle(&d->f);
	d->f.is_held = false;
	expect_unknown(d);
	device_fixture_poll(d);
	device_fixture_expect_error(d, "access_denied");
}

static void test_browser_leaves(void **state)
{
	struct device_fixture *d = *state;

	device_fixture_ask(d, NULL);
	open_code(d);
	d->f.is_held = true;
	device_fixture_submit(d, &(struct device_form){ 0 });
	exchange_abort(exchange_fixture_only(&d->f), "client-closed");
	exchange_fixture_settle(&d->f);
	d->f.is_held = false;
	device_fixture_poll(d);
	device_fixture_expect_error(d, "authorization_pending");
}

#define WITH_DEVICE(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, device_fixture_set_up, device_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_DEVICE(test_code_form),          WITH_DEVICE(test_question),
		WITH_DEVICE(test_spellings),          WITH_DEVICE(test_hostile_names),
		WITH_DEVICE(test_login_first),        WITH_DEVICE(test_other_credentials),
		WITH_DEVICE(test_service_account),    WITH_DEVICE(test_provider_of_host),
		WITH_DEVICE(test_unknown_codes),      WITH_DEVICE(test_old_codes),
		WITH_DEVICE(test_guessing),           WITH_DEVICE(test_answers),
		WITH_DEVICE(test_forged_forms),       WITH_DEVICE(test_other_content_type),
		WITH_DEVICE(test_bad_code_in_form),   WITH_DEVICE(test_form_without_login),
		WITH_DEVICE(test_other_answer_first), WITH_DEVICE(test_browser_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
