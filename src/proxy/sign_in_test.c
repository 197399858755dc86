/*
 * sign_in_test.c - the sign-in page, the whole journey through it, and the way out again (protocol.md 3.4, 3.5, 3.8)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "jose/jws.h"
#include "session/signed_url.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"

#define LOGIN_API                                                                                  \
	"GET /.pomerium/api/v1/login?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%3A45678 "        \
	"HTTP/1.1\r\nHost: redis.example.com\r\n\r\n"
#define AUTH_COOKIE "_pomerium_authenticate"

/* ---- a browser ---- */

/* Asks for an absolute URL, or for a path on the host of the login. cookie may be NULL. */
static void visit(struct exchange_fixture *f, struct str target, const char *cookie)
{
	struct str host = STR(FIXTURE_AUTH_HOST);
	struct url url;

	if (target.at[0] != '/') {
		assert_int_equal(url_parse(target, &url, NULL), 0);
		assert_true(str_equal(url.scheme, STR("https")));
		host = url.authority.text;
		target = str_from_pos(target, sizeof("https://") - 1 + host.len);
	}
	exchange_fixture_sendf(f, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n%s%s%s\r\n", STR_FMT(target),
			       STR_FMT(host), cookie ? "Cookie: " : "", cookie ? cookie : "",
			       cookie ? "\r\n" : "");
}

static void follow(struct exchange_fixture *f, const char *cookie)
{
	char *location = str_copy(exchange_fixture_header(f, "location"));

	assert_true(f->status == 302 || f->status == 303);
	visit(f, str_from(location), cookie);
	mem_free(location);
}

/* "name=value" of the first cookie that was set. */
static char *take_cookie(struct exchange_fixture *f, const char *name)
{
	struct str cookie = exchange_fixture_header(f, "set-cookie");

	cookie = str_first(cookie, str_find(cookie, ';'));
	assert_true(str_equal(str_first(cookie, str_find(cookie, '=')), str_from(name)));
	return str_copy(cookie);
}

static const char *value_of(const char *cookie)
{
	return strchr(cookie, '=') + 1;
}

static char *sign_in_url(struct exchange_fixture *f)
{
	exchange_fixture_send(f, STR(LOGIN_API));
	assert_int_equal(f->status, 200);
	return str_copy(buf_view(&f->body));
}

/* ---- the sign-in page ---- */

static void test_nobody_is_logged_in(void **state)
{
	static const char *const cookies[] = { NULL, AUTH_COOKIE "=junk", AUTH_COOKIE "=",
					       "_pomerium=x" };
	struct exchange_fixture *f = *state;
	char *url = sign_in_url(f);

	for (size_t i = 0; i < ARRAY_LEN(cookies); i++) {
		struct buf expected = BUF_INIT(URL_MAX);

		visit(f, str_from(url), cookies[i]);
		assert_int_equal(f->status, 302);
		(void)buf_append_str(&expected, STR("/.pomerium/local/sign_in?next="));
		(void)query_escape(&expected, str_from(strstr(url, "/.pomerium/sign_in")));
		assert_true(str_equal(exchange_fixture_header(f, "location"), buf_view(&expected)));
		assert_true(str_equal(
			exchange_fixture_header(f, "set-cookie"),
			STR(AUTH_COOKIE
			    "=; Path=/; Expires=Wed, 31 Dec 2025 23:00:00 GMT; Max-Age=0; "
			    "HttpOnly; Secure")));
		buf_done(&expected);
	}
	mem_free(url);
}

static void expect_claims(struct exchange_fixture *f, const char *token, const char *format,
			  const struct session *session)
{
	struct buf payload = BUF_INIT(JWS_MAX);
	char expected[1024];

	(void)snprintf(
		expected, sizeof(expected),
		"{\"aud\":%s,\"databroker_record_version\":%llu,\"databroker_server_version\":%llu,"
		"\"iat\":1767225600,\"idp_id\":\"%s\",\"iss\":\"authenticate.example.com\","
		"\"jti\":\"%s\",\"sub\":\"user-1\"}",
		format, (unsigned long long)session->record_version,
		(unsigned long long)store_server_version(f->worker.shared.store),
		f->worker.snapshot->idps.global->id, session->id);
	assert_int_equal(
		jws_verify_hs256(f->worker.snapshot->shared_key, str_from(token), &payload, NULL),
		0);
	assert_true(str_equal(buf_view(&payload), str_from(expected)));
	buf_done(&payload);
}

/* Logged in here already: at once on to the route, with a token for it. */
static void test_deliver(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 3600);
	char *token = exchange_fixture_token(f, session);
	char *url = sign_in_url(f);
	char cookie[2048];
	char *own;
	char *routes;

	(void)snprintf(cookie, sizeof(cookie), AUTH_COOKIE "=%s", token);
	visit(f, str_from(url), cookie);
	assert_int_equal(f->status, 302);
	assert_true(str_starts_with(exchange_fixture_header(f, "location"),
				    STR("https://redis.example.com/.pomerium/callback/?"
					"pomerium_additional_hosts=&pomerium_expiry=1767225900&"
					"pomerium_issued=1767225600&pomerium_programmatic=true&"
					"pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%3A45678&"
					"pomerium_session_encrypted=")));
	own = take_cookie(f, AUTH_COOKIE);
	expect_claims(f, value_of(own), "[\"authenticate.example.com\"]", session);
	follow(f, NULL);
	routes = take_cookie(f, "_pomerium");
	expect_claims(f, value_of(routes),
		      "[\"authenticate.example.com\",\"127.0.0.1:45678\",\"redis.example.com\"]",
		      session);
	mem_free(own);
	mem_free(routes);
	mem_free(url);
	mem_free_secret(token);
	session_unref(session);
}

static void test_bad_links(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char *url = sign_in_url(f);
	char *idp_id = strstr(url, "pomerium_idp_id=") + 16;
	char id[IDP_ID_LEN + 1];
	char cookie[2048];

	(void)snprintf(cookie, sizeof(cookie), AUTH_COOKIE "=%s", token);
	clock_fake_set_unix(FIXTURE_NOW + 361);
	visit(f, str_from(url), cookie);
	assert_int_equal(f->status, 400);
	assert_true(str_is_empty(exchange_fixture_header(f, "set-cookie")));
	clock_fake_set_unix(FIXTURE_NOW);
	*idp_id = *idp_id == '0' ? '1' : '0';
	visit(f, str_from(url), cookie);
	assert_int_equal(f->status, 400);
	mem_free(url);
	/* Genuine, but for another provider. */
	(void)snprintf(id, sizeof(id), "%s", f->worker.snapshot->idps.global->id);
	exchange_fixture_set_idp_id(f, "another");
	url = sign_in_url(f);
	exchange_fixture_set_idp_id(f, id);
	visit(f, str_from(url), cookie);
	assert_int_equal(f->status, 400);
	assert_true(exchange_fixture_body_has(f, "another identity provider"));
	mem_free(url);
	mem_free_secret(token);
}

static void test_no_provider(void **state)
{
	struct exchange_fixture *f = *state;
	char *url;

	exchange_fixture_reload(f, FIXTURE_LOGIN FIXTURE_ROUTES);
	url = sign_in_url(f);
	visit(f, str_from(url), NULL);
	assert_int_equal(f->status, 500);
	assert_true(exchange_fixture_body_has(f, "idp_provider"));
	visit(f, STR("/.pomerium/local/sign_in?next=x"), NULL);
	assert_int_equal(f->status, 404);
	mem_free(url);
}

/* As many parameters as a query may have, through every step that adds some. */
static void test_many_parameters(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char cookie[2048];

	(void)snprintf(cookie, sizeof(cookie), AUTH_COOKIE "=%s", token);
	for (size_t count = 25; count <= QUERY_PARAMS_MAX + 1; count++) {
		struct buf query = BUF_INIT(URL_MAX);
		struct buf request = BUF_INIT(URL_MAX);

		for (size_t i = 1; i < count; i++)
			(void)buf_printf(&query, "&a%zu=b", i);
		(void)buf_printf(
			&request,
			"GET /.pomerium/api/v1/login?pomerium_redirect_uri=http%%3A%%2F%%2Flocalhost"
			"%.*s HTTP/1.1\r\nHost: redis.example.com\r\n\r\n",
			STR_FMT(buf_view(&query)));
		exchange_fixture_send(f, buf_view(&request));
		assert_int_equal(f->status, count > QUERY_PARAMS_MAX ? 400 : 200);
		if (f->status == 200) {
			char *url = str_copy(buf_view(&f->body));

			visit(f, str_from(url), cookie);
			assert_true(f->status == 302 || f->status == 400);
			if (f->status == 302)
				follow(f, NULL);
			assert_true(f->status == 302 || f->status == 400);
			mem_free(url);
		}
		buf_done(&query);
		buf_done(&request);
	}
	mem_free_secret(token);
}

/* ---- the whole way ---- */

static void append_field(struct buf *body, const char *name, struct str value)
{
	(void)buf_printf(body, "%s%s=", body->len ? "&" : "", name);
	assert_int_equal(query_escape(body, value), 0);
}

/* Fills in the form that is on the screen; next is the path it was reached with. */
static void fill_in(struct exchange_fixture *f, struct str next, const char *csrf_cookie)
{
	struct buf body = BUF_INIT(URL_MAX);

	append_field(&body, "csrf", str_from(value_of(csrf_cookie)));
	append_field(&body, "next", next);
	append_field(&body, "email", STR("alice@example.com"));
	append_field(&body, "password", STR(FIXTURE_PASSWORD));
	exchange_fixture_sendf(
		f,
		"POST /.pomerium/local/sign_in HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST
		"\r\nContent-Type: application/x-www-form-urlencoded\r\nCookie: %s\r\n"
		"Content-Length: %zu\r\n\r\n%.*s",
		csrf_cookie, body.len, STR_FMT(buf_view(&body)));
	exchange_fixture_wait(f);
	buf_done_secret(&body);
}

static void expect_not_logged(const char *log, const char *secret)
{
	assert_true(strlen(secret) >= 8);
	if (strstr(log, secret))
		fail_msg("in the log: %s", secret);
}

static void test_whole_journey(void **state)
{
	struct exchange_fixture *f = *state;
	char *url = sign_in_url(f);
	const char *next = strstr(url, "/.pomerium/sign_in");
	struct str location;
	const char *log;
	char *csrf;
	char *own;
	char *routes;
	char *token;

	visit(f, str_from(url), NULL);
	follow(f, NULL);
	assert_int_equal(f->status, 200);
	csrf = take_cookie(f, "_pomerium_csrf");
	fill_in(f, str_from(next), csrf);
	own = take_cookie(f, AUTH_COOKIE);
	follow(f, own);
	follow(f, NULL);
	routes = take_cookie(f, "_pomerium");
	location = exchange_fixture_header(f, "location");
	assert_true(str_starts_with(location, STR("http://127.0.0.1:45678?pomerium_jwt=")));
	token = str_copy(str_from_pos(location, 36));
	assert_string_equal(token, value_of(routes));
	exchange_fixture_sendf(
		f,
		"CONNECT redis.example.com:6379 HTTP/1.1\r\nHost: redis.example.com:6379\r\n"
		"Authorization: Pomerium %s\r\n\r\n",
		token);
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 200);
	exchange_abort(exchange_fixture_only(f), "shutdown");

	log = exchange_fixture_log(f);
	assert_non_null(strstr(log, "\"message\":\"tunnel opened\""));
	expect_not_logged(log, FIXTURE_PASSWORD);
	expect_not_logged(log, "correct+horse");
	expect_not_logged(log, value_of(csrf));
	expect_not_logged(log, value_of(own));
	expect_not_logged(log, token);
	expect_not_logged(log, strrchr(token, '.'));
	expect_not_logged(log, strstr(next, "pomerium_signature="));
	expect_not_logged(log, "AAECAwQFBgcI");
	expect_not_logged(log, FIXTURE_HASH);
	assert_null(strstr(log, "pomerium_session"));
	mem_free(csrf);
	mem_free(own);
	mem_free(routes);
	mem_free(token);
	mem_free(url);
}

/* ---- the way out ---- */

#define CLEARED(name)                                                                              \
	"set-cookie: " name "=; Path=/; Expires=Wed, 31 Dec 2025 23:00:00 GMT; Max-Age=0; "        \
	"HttpOnly; Secure\n"

/* Presses the button of the page. */
static void confirm(struct exchange_fixture *f, const char *cookie)
{
	struct str page = buf_view(&f->body);
	struct buf target = BUF_INIT(URL_MAX);
	struct str rest;

	assert_true(exchange_fixture_body_has(
		f, "<form method=\"post\" action=\"https://" FIXTURE_AUTH_HOST));
	page = str_from_pos(page, (size_t)(strstr((const char *)page.at, "/sign_out?") - page.at));
	page = str_from_pos(page, str_find(page, '?'));
	page = str_first(page, str_find(page, '"'));
	for (rest = page; rest.len > 0; rest = str_from_pos(rest, 1)) {
		(void)buf_append_char(&target, rest.at[0]);
		if (str_starts_with(rest, STR("&amp;")))
			rest = str_from_pos(rest, 4);
	}
	exchange_fixture_sendf(f,
			       "POST /.pomerium/sign_out%.*s HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST
			       "\r\n%s%s%sContent-Length: 0\r\n\r\n",
			       STR_FMT(buf_view(&target)), cookie ? "Cookie: " : "",
			       cookie ? cookie : "", cookie ? "\r\n" : "");
	buf_done(&target);
}

static size_t session_count(struct exchange_fixture *f)
{
	return store_index_size(f->worker.shared.store);
}

/* The route's session may be another one than that of the login: both end. */
static void test_sign_out(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char *route_token = exchange_fixture_log_in(f, "alice@example.com");
	char cookie[2048];
	char route_cookie[2048];

	(void)snprintf(cookie, sizeof(cookie), AUTH_COOKIE "=%s", token);
	(void)snprintf(route_cookie, sizeof(route_cookie), "_pomerium=%s", route_token);
	visit(f, STR("https://redis.example.com/.pomerium/sign_out"), route_cookie);
	assert_int_equal(f->status, 302);
	assert_non_null(strstr((const char *)f->headers.data, CLEARED("_pomerium")));
	assert_true(str_starts_with(
		exchange_fixture_header(f, "location"),
		STR("https://authenticate.example.com/.pomerium/sign_out?pomerium_expiry=1767225900&"
		    "pomerium_issued=1767225600&"
		    "pomerium_redirect_uri=https%3A%2F%2Fredis.example.com%2F&pomerium_session_id=")));
	assert_int_equal(session_count(f), 2);
	follow(f, cookie);
	assert_int_equal(f->status, 200);
	assert_int_equal(session_count(f), 2);
	confirm(f, cookie);
	exchange_fixture_expect(f, 302,
				CLEARED("_pomerium") CLEARED(
					AUTH_COOKIE) "location: /.pomerium/signed_out\n"
						     "x-pomerium-intercepted-response: true\n"
						     "cache-control: no-cache, must-revalidate\n"
						     "server: pomerium\nx-request-id: <uuid>\n");
	assert_int_equal(session_count(f), 0);
	follow(f, NULL);
	assert_true(exchange_fixture_body_has(f, "You are logged out."));
	mem_free_secret(token);
	mem_free_secret(route_token);
}

/* Anybody can have these URLs signed, for himself; to follow one must not log anybody else out. */
static void test_sign_out_of_somebody_else(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char *attacker_token = exchange_fixture_log_in(f, "bob@example.com");
	char cookie[2048];
	char attacker_cookie[2048];

	(void)snprintf(cookie, sizeof(cookie), AUTH_COOKIE "=%s; _pomerium=%s", token, token);
	(void)snprintf(attacker_cookie, sizeof(attacker_cookie), AUTH_COOKIE "=%s", attacker_token);
	/* The link from a route's host, followed and posted to. */
	visit(f, STR("https://redis.example.com/.pomerium/sign_out"), NULL);
	follow(f, cookie);
	assert_int_equal(f->status, 200);
	/* The address of the attacker's own button. */
	visit(f, STR("/.pomerium/sign_out"), attacker_cookie);
	confirm(f, cookie);
	assert_int_equal(f->status, 200);
	assert_int_equal(session_count(f), 2);
	/* The route's own page ends nothing by itself. */
	visit(f, STR("https://redis.example.com/.pomerium/sign_out"), cookie);
	assert_int_equal(session_count(f), 2);
	/* But the page that alice was shown in the end is hers. */
	visit(f, STR("/.pomerium/sign_out"), cookie);
	confirm(f, cookie);
	assert_int_equal(f->status, 302);
	assert_int_equal(session_count(f), 1);
	mem_free_secret(token);
	mem_free_secret(attacker_token);
}

static void test_sign_out_of_nobody(void **state)
{
	struct exchange_fixture *f = *state;

	visit(f, STR("/.pomerium/sign_out"), AUTH_COOKIE "=junk");
	assert_int_equal(f->status, 302);
	assert_true(
		str_equal(exchange_fixture_header(f, "location"), STR("/.pomerium/signed_out")));
	assert_non_null(strstr((const char *)f->headers.data, CLEARED(AUTH_COOKIE)));
}

/* Not signed: nothing happens before somebody has pressed the button. */
static void test_sign_out_asks(void **state)
{
	static const char *const queries[] = { "", "?x", "?pomerium_signature=AAAA" };
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char cookie[2048];

	(void)snprintf(cookie, sizeof(cookie), AUTH_COOKIE "=%s", token);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "/.pomerium/sign_out%s", queries[i]);
		visit(f, str_from(path), cookie);
		assert_int_equal(f->status, 200);
		assert_int_equal(store_index_size(f->worker.shared.store), 1);
		assert_true(exchange_fixture_body_has(
			f,
			"<form method=\"post\" "
			"action=\"https://authenticate.example.com/.pomerium/sign_out?pomerium_expiry=1767225900&amp;"));
	}
	mem_free_secret(token);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_is_logged_in, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_deliver, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_bad_links, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_no_provider, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_many_parameters, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_whole_journey, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_sign_out, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_sign_out_asks, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_sign_out_of_somebody_else,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_sign_out_of_nobody, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
