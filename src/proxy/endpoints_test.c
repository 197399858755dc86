/*
 * endpoints_test.c - which of our own URLs is served where, to which method (protocol.md 4), and the simple ones
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/end_reasons.h"
#include "proxy/endpoints.h"
#include "tests/support/exchange_fixture.h"

#define ROUTE "redis.example.com"
#define LOGIN "authenticate.example.com"
#define OTHER "anything.example.org:8443"

/* One that the gateway has ended. */
#define TUNNEL "0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c11"

struct row {
	const char *method;
	const char *host;
	const char *path;
	int status;
	const char *detail; /* 301: location; 405: allow */
};

static const struct row rows[] = {
	/* On every host, whether it has a route or not. */
	{ "GET", ROUTE, "/ping", 200, NULL },
	{ "HEAD", OTHER, "/ping", 200, NULL },
	{ "GET", LOGIN, "/healthz", 200, NULL },
	{ "POST", ROUTE, "/ping", 405, "GET, HEAD" },
	{ "OPTIONS", ROUTE, "/healthz", 405, "GET, HEAD" },
	{ "get", ROUTE, "/ping", 405, "GET, HEAD" },
	{ "G", ROUTE, "/ping", 405, "GET, HEAD" },
	{ "GET", OTHER, "/.well-known/pomerium", 200, NULL },
	{ "GET", OTHER, "/.well-known/pomerium/", 200, NULL },
	{ "HEAD", OTHER, "/.well-known/pomerium", 200, NULL },
	{ "POST", OTHER, "/.well-known/pomerium", 405, "GET, HEAD" },
	{ "GET", OTHER, "/.well-known/pomerium/jwks.json", 200, NULL },
	{ "HEAD", OTHER, "/.well-known/pomerium/jwks.json", 200, NULL },
	{ "OPTIONS", OTHER, "/.well-known/pomerium/jwks.json", 405, "GET, HEAD" },
	{ "GET", OTHER, "/.pomerium/index.css", 200, NULL },
	{ "POST", OTHER, "/.pomerium/index.css", 405, "GET, HEAD" },
	{ "GET", OTHER, "/.pomerium/", 200, NULL },
	{ "POST", OTHER, "/.pomerium/", 405, "GET, HEAD" },
	{ "POST", OTHER, "/.pomerium/api/v1/login", 405, "GET" },
	{ "HEAD", OTHER, "/.pomerium/api/v1/login", 405, "GET" },
	{ "GET", OTHER, "/.pomerium/api/v1/login", 404, NULL },
	{ "POST", OTHER, "/.pomerium/api/v1/device_authorization", 200, NULL },
	{ "GET", OTHER, "/.pomerium/api/v1/device_authorization", 405, "POST" },
	{ "POST", OTHER, "/.pomerium/api/v1/token", 400, NULL },
	{ "GET", OTHER, "/.pomerium/api/v1/token", 405, "POST" },
	{ "POST", OTHER, "/.pomerium/api/v1/token/", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/" TUNNEL "/end", 200, NULL },
	{ "GET", OTHER, "/.pomerium/api/v1/tunnels/" TUNNEL "/end", 200, NULL },
	{ "POST", ROUTE, "/.pomerium/api/v1/tunnels/" TUNNEL "/end", 405, "GET" },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/" TUNNEL "/end/", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/" TUNNEL "/x/end", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/" TUNNEL "/", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/" TUNNEL, 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels//end", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/x/end", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/api/v1/tunnels/0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c12/end", 404,
	  NULL },
	{ "POST", OTHER, "/.pomerium/callback/", 405, "GET" },
	{ "GET", OTHER, "/.pomerium/callback/", 400, NULL },
	{ "PUT", OTHER, "/.pomerium/sign_out", 405, "GET, POST" },
	/* A slash too many or too few. */
	{ "GET", OTHER, "/.pomerium", 301, "/.pomerium/" },
	{ "GET", OTHER, "/.pomerium/callback", 301, "/.pomerium/callback/" },
	{ "GET", OTHER, "/.pomerium/callback?a=b&c=%20", 301, "/.pomerium/callback/?a=b&c=%20" },
	{ "GET", OTHER, "/.pomerium/sign_out/", 301, "/.pomerium/sign_out" },
	{ "GET", LOGIN, "/.pomerium/signed_out/", 301, "/.pomerium/signed_out" },
	{ "GET", OTHER, "/ping/", 404, NULL },
	{ "GET", OTHER, "/healthz/", 404, NULL },
	{ "GET", OTHER, "/.pomerium/api/v1/login/", 404, NULL },
	{ "GET", OTHER, "/.pomerium//", 301, "/.pomerium/" },
	/* Nothing there. */
	{ "GET", OTHER, "/.pomerium/nothing", 404, NULL },
	{ "GET", OTHER, "/.pomerium/api/v2/login", 404, NULL },
	/* Without its flag, whoever asks and however. */
	{ "GET", OTHER, "/.pomerium/jwt", 404, NULL },
	{ "POST", ROUTE, "/.pomerium/jwt", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/jwt/", 404, NULL },
	{ "GET", OTHER, "/.pomerium/%61pi/v1/login", 404, NULL },
	{ "GET", OTHER, "/PING", 404, NULL },
	{ "GET", OTHER, "/", 404, NULL },
	{ "GET", OTHER, "/robots.txt", 404, NULL },
	{ "OPTIONS", OTHER, "/x", 404, NULL },
	/* On the host of the login only. */
	{ "GET", LOGIN, "/", 302, NULL },
	{ "GET", "AUTHENTICATE.example.com", "/", 302, NULL },
	{ "GET", LOGIN, "/robots.txt", 200, NULL },
	{ "POST", LOGIN, "/robots.txt", 405, "GET, HEAD" },
	{ "GET", LOGIN, "/.pomerium/signed_out", 200, NULL },
	{ "GET", ROUTE, "/.pomerium/signed_out", 404, NULL },
	{ "GET", LOGIN, "/.pomerium/sign_in", 400, NULL },
	{ "GET", ROUTE, "/.pomerium/sign_in", 404, NULL },
	{ "GET", LOGIN ":443", "/.pomerium/sign_in", 404, NULL },
	{ "GET", LOGIN, "/.pomerium/local/sign_in", 400, NULL },
	{ "POST", LOGIN, "/.pomerium/local/sign_in", 400, NULL },
	{ "PUT", LOGIN, "/.pomerium/local/sign_in", 405, "GET, POST" },
	{ "GET", LOGIN, "/.pomerium/device", 303, NULL },
	{ "GET", LOGIN, "/.pomerium/device/", 301, "/.pomerium/device" },
	{ "POST", LOGIN, "/.pomerium/device", 400, NULL },
	{ "PUT", LOGIN, "/.pomerium/device", 405, "GET, POST" },
	{ "GET", ROUTE, "/.pomerium/device", 404, NULL },
	{ "GET", ROUTE, "/.pomerium/local/sign_in", 404, NULL },
};

/* Without a host of its own the login is on every one, but their front pages stay the routes'. */
static const struct row rows_without_login_host[] = {
	{ "GET", OTHER, "/.pomerium/sign_in", 400, NULL },
	{ "GET", ROUTE, "/.pomerium/local/sign_in", 400, NULL },
	{ "GET", ROUTE, "/.pomerium/signed_out", 200, NULL },
	{ "GET", LOGIN, "/", 404, NULL },
	{ "GET", LOGIN, "/robots.txt", 404, NULL },
	{ "GET", ROUTE, "/ping", 200, NULL },
};

static void check_row(struct exchange_fixture *f, const struct row *row)
{
	exchange_fixture_sendf(f, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", row->method, row->path,
			       row->host);
	if (f->status != row->status)
		fail_msg("%s %s%s: %d", row->method, row->host, row->path, f->status);
	if (row->detail &&
	    !str_equal(exchange_fixture_header(f, row->status == 301 ? "location" : "allow"),
		       str_from(row->detail)))
		fail_msg("%s %s%s: %s", row->method, row->host, row->path, (char *)f->headers.data);
	assert_int_equal(exchange_fixture_header(f, "x-request-id").len, UUID_TEXT_LEN);
}

static void test_table(void **state)
{
	struct exchange_fixture *f = *state;

	end_reasons_put(f->control.end_reasons, STR(TUNNEL), "session-revoked");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(f, &rows[i]);
}

static void test_table_without_login_host(void **state)
{
	exchange_fixture_reload(*state, FIXTURE_USERS);
	for (size_t i = 0; i < ARRAY_LEN(rows_without_login_host); i++)
		check_row(*state, &rows_without_login_host[i]);
}

#define LAST  "server: pomerium\nx-request-id: <uuid>\n"
#define PLAIN "content-type: text/plain; charset=utf-8\n"
#define REDIRECTION                                                                                \
	"x-pomerium-intercepted-response: true\ncache-control: no-cache, must-revalidate\n"

static void test_fixed_answers(void **state)
{
	struct exchange_fixture *f = *state;

	exchange_fixture_send(f, STR("GET /healthz HTTP/1.1\r\nHost: " ROUTE "\r\n\r\n"));
	exchange_fixture_expect(f, 200, PLAIN LAST);
	exchange_fixture_expect_body(f, "OK\n");

	end_reasons_put(f->control.end_reasons, STR(TUNNEL), "policy-denied");
	exchange_fixture_send(f, STR("GET /.pomerium/api/v1/tunnels/" TUNNEL
				     "/end HTTP/1.1\r\nHost: " ROUTE "\r\n\r\n"));
	exchange_fixture_expect(f, 200,
				"content-type: application/json\ncache-control: no-store\n" LAST);
	exchange_fixture_expect_body(f, "{\"reason\":\"policy-denied\"}\n");

	exchange_fixture_send(f, STR("DELETE /ping HTTP/1.1\r\nHost: " ROUTE "\r\n\r\n"));
	exchange_fixture_expect(f, 405, "allow: GET, HEAD\n" PLAIN LAST);
	exchange_fixture_expect_body(f, "Method Not Allowed\n");

	exchange_fixture_send(f,
			      STR("GET /.pomerium/api/v1/x HTTP/1.1\r\nHost: " ROUTE "\r\n\r\n"));
	exchange_fixture_expect(f, 404, PLAIN LAST);
	exchange_fixture_expect_body(f, "Not Found\n");

	exchange_fixture_send(f, STR("GET / HTTP/1.1\r\nHost: " LOGIN "\r\n\r\n"));
	exchange_fixture_expect(f, 302, "location: /.pomerium/\n" REDIRECTION LAST);

	exchange_fixture_send(f, STR("GET /robots.txt HTTP/1.1\r\nHost: " LOGIN "\r\n\r\n"));
	exchange_fixture_expect(f, 200, PLAIN LAST);
	exchange_fixture_expect_body(f, "User-agent: *\nDisallow: /");

	exchange_fixture_send(f, STR("GET /.pomerium HTTP/1.1\r\nHost: " ROUTE "\r\n\r\n"));
	exchange_fixture_expect(f, 301, "location: /.pomerium/\n" REDIRECTION LAST);
}

/* protocol.md 4.3 */
static void test_well_known(void **state)
{
	struct exchange_fixture *f = *state;

	exchange_fixture_send(
		f, STR("GET /.well-known/pomerium HTTP/1.1\r\nHost: app.example.com\r\n\r\n"));
	exchange_fixture_expect(
		f, 200, "content-type: application/json\nx-content-type-options: nosniff\n" LAST);
	exchange_fixture_expect_body(
		f,
		"{\"issuer\":\"https://app.example.com/\","
		"\"authentication_callback_endpoint\":\"https://authenticate.example.com/oauth2/callback\","
		"\"jwks_uri\":\"https://app.example.com/.well-known/pomerium/jwks.json\","
		"\"frontchannel_logout_uri\":\"https://app.example.com/.pomerium/sign_out\","
		"\"device_authorization_endpoint\":"
		"\"https://app.example.com/.pomerium/api/v1/device_authorization\","
		"\"token_endpoint\":\"https://app.example.com/.pomerium/api/v1/token\"}\n");

	exchange_fixture_send(f, STR("GET /.well-known/pomerium/ HTTP/1.1\r\nHost: a.example:99\r\n"
				     "Origin: https://b.example\r\n\r\n"));
	exchange_fixture_expect(f, 200,
				"content-type: application/json\nx-content-type-options: nosniff\n"
				"access-control-allow-origin: *\n" LAST);
	assert_true(exchange_fixture_body_has(f, "\"issuer\":\"https://a.example:99/\""));
}

/* Who somebody is shows on the page, escaped; the token never does. */
static void test_user_page(void **state)
{
	static const char settings[] = FIXTURE_LOGIN
		"idp_provider: local\nlocal_users:\n"
		"- {email: \"<b>&'@example.com\", name: \"<i>\\\"Al\", id: user-1,\n"
		"   groups: [\"<script>\", ops], password_hash: " FIXTURE_HASH "}\n";
	static const char *const facts[] = {
		"<h1>You are logged in</h1>",
		"<dd>&lt;b&gt;&amp;&#39;@example.com</dd>",
		"<dd>&lt;i&gt;&#34;Al</dd>",
		"<dd>&lt;script&gt;</dd>",
		"<dd>ops</dd>",
		"<dd>user-1</dd>",
		"<dd>Thu, 01 Jan 2026 01:00:00 GMT</dd>",
	};
	struct exchange_fixture *f = *state;
	char *token;

	exchange_fixture_reload(f, settings);
	token = exchange_fixture_log_in(f, "<b>&'@example.com");
	exchange_fixture_sendf(
		f, "GET /.pomerium/ HTTP/1.1\r\nHost: " ROUTE "\r\nCookie: _pomerium=%s\r\n\r\n",
		token);
	assert_int_equal(f->status, 200);
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		if (!exchange_fixture_body_has(f, facts[i]))
			fail_msg("%s", facts[i]);
	assert_false(exchange_fixture_body_has(f, token));
	assert_false(exchange_fixture_body_has(f, "<script>"));

	/* The login's own cookie counts on the host of the login, and nowhere else. */
	exchange_fixture_sendf(f,
			       "GET /.pomerium/ HTTP/1.1\r\nHost: " LOGIN
			       "\r\nCookie: _pomerium_authenticate=%s\r\n\r\n",
			       token);
	assert_true(exchange_fixture_body_has(f, "You are logged in"));
	exchange_fixture_sendf(f,
			       "GET /.pomerium/ HTTP/1.1\r\nHost: " ROUTE
			       "\r\nCookie: _pomerium_authenticate=%s\r\n\r\n",
			       token);
	assert_int_equal(f->status, 200);
	assert_true(exchange_fixture_body_has(f, "You are not logged in"));
	mem_free_secret(token);
}

/* The body of a HEAD is not sent, so it is not counted. */
static void test_head_counts_nothing(void **state)
{
	struct exchange_fixture *f = *state;

	exchange_fixture_send(f, STR("HEAD /robots.txt HTTP/1.1\r\nHost: " LOGIN "\r\n\r\n"));
	assert_non_null(strstr(exchange_fixture_log(f), "\"size\":0,\"response-code\":200"));
	exchange_fixture_send(f, STR("GET /robots.txt HTTP/1.1\r\nHost: " LOGIN "\r\n\r\n"));
	assert_non_null(strstr(exchange_fixture_log(f), "\"size\":25,\"response-code\":200"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_table_without_login_host,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_fixed_answers, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_well_known, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_user_page, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_head_counts_nothing, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
