/*
 * respond_test.c - every refusal to the byte, and 302 or 401 (protocol.md 2.8, 6.2, 6.3, 9.2 to 9.4)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/respond.h"
#include "tests/support/exchange_fixture.h"
#include "tests/vectors/vectors.h"

#define ID "0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c11"

#define PAGE_HEADERS                                                                               \
	"content-type: text/html; charset=UTF-8\n"                                                 \
	"x-pomerium-intercepted-response: true\n"                                                  \
	"cache-control: no-cache, must-revalidate\n"                                               \
	"referrer-policy: same-origin\n"                                                           \
	"content-security-policy: default-src 'none'; style-src 'self'; "                          \
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'\n"                            \
	"x-frame-options: SAMEORIGIN\n"                                                            \
	"x-content-type-options: nosniff\n"
#define LAST_HEADERS                                                                               \
	"server: pomerium\n"                                                                       \
	"x-request-id: <uuid>\n"

#define SIGN_IN                                                                                    \
	"https://authenticate.example.com/.pomerium/sign_in?pomerium_expiry=1767225900&"           \
	"pomerium_idp_id=7EXAMPLEidpIdentifierOpaqueToClients01&pomerium_issued=1767225600&"       \
	"pomerium_redirect_uri=https%3A%2F%2Fredis.example.com%3A6379&"                            \
	"pomerium_signature=qRutdvX-XNh0FhXVO2IPELjTJP2fIufQ1sthHsKq7mg%3D"

static int setup(void **state)
{
	struct exchange_fixture *f = mem_alloc(sizeof(*f));

	exchange_fixture_init(f, FIXTURE_SETTINGS);
	exchange_fixture_set_idp_id(f, "7EXAMPLEidpIdentifierOpaqueToClients01");
	*state = f;
	return 0;
}

#define CONNECT "CONNECT redis.example.com:6379 HTTP/1.1\r\nHost: redis.example.com:6379\r\n"

static void refuse(struct exchange_fixture *f, enum refusal refusal, const char *more_headers)
{
	struct exchange x;
	char request[1024];

	(void)snprintf(request, sizeof(request), CONNECT "%s\r\n", more_headers);
	exchange_fixture_begin(f, &x, request);
	assert_int_equal(respond_refusal(&x, refusal), STEP_DONE);
	assert_int_equal(x.outcome.status, f->status);
	assert_int_equal(x.outcome.bytes_sent, f->body.len);
	assert_non_null(x.outcome.reason);
	assert_true(str_equal(str_from(x.outcome.reason),
			      exchange_fixture_header(f, "x-pomerium-reason")));
	exchange_fixture_end(&x);
}

#define RESET "upstream_reset_before_response_started"
#define WHAT  "redis.example.com:6379"

struct refusal_row {
	enum refusal refusal;
	int status;
	const char *reason;
	const char *details; /* NULL: the authorizer's form */
	const char *error;
	const char *title;
	const char *sentence;
};

static const struct refusal_row refusal_rows[] = {
	{ REFUSAL_ROUTE_NOT_FOUND, 404, "route-not-found", "route_not_found", NULL, "Not Found",
	  "There is no route for " WHAT " on this gateway." },
	{ REFUSAL_LOGIN_REQUIRED, 401, "login-required", NULL, "Unauthenticated", "Unauthorized",
	  "You have to log in to use " WHAT "." },
	{ REFUSAL_SESSION_UNKNOWN, 401, "session-unknown", NULL, "Unauthenticated", "Unauthorized",
	  "Your login is not known here any more: log in again to use " WHAT "." },
	{ REFUSAL_SESSION_EXPIRED, 401, "session-expired", NULL, "Unauthenticated", "Unauthorized",
	  "Your login has expired: log in again to use " WHAT "." },
	{ REFUSAL_DENIED, 403, "denied", NULL, "Forbidden", "Forbidden",
	  "Nobody is not allowed to use " WHAT "." },
	{ REFUSAL_UPSTREAM_DNS, 503, "upstream-dns", "no_healthy_upstream", NULL,
	  "Service Unavailable",
	  "You are allowed to use " WHAT ", but the name of its server was not found." },
	{ REFUSAL_UPSTREAM_REFUSED, 503, "upstream-refused",
	  RESET "{remote_connection_failure|delayed_connect_error:_Connection_refused}", NULL,
	  "Service Unavailable",
	  "You are allowed to use " WHAT ", but its server refused the connection." },
	{ REFUSAL_UPSTREAM_UNREACHABLE, 503, "upstream-unreachable",
	  RESET "{remote_connection_failure}", NULL, "Service Unavailable",
	  "You are allowed to use " WHAT ", but there is no way to its server." },
	{ REFUSAL_UPSTREAM_TIMEOUT, 503, "upstream-timeout", RESET "{connection_timeout}", NULL,
	  "Service Unavailable",
	  "You are allowed to use " WHAT ", but its server did not answer in time." },
	{ REFUSAL_OVERLOADED, 503, "overloaded", "overload", NULL, "Service Unavailable",
	  "The gateway has no room for this now: try again in a moment." },
	{ REFUSAL_INTERNAL, 503, "internal", "ext_authz_error", NULL, "Service Unavailable",
	  "The gateway could not decide about this: its log says why." },
	{ REFUSAL_CLIENT_CERTIFICATE, 495, "client-certificate-required", NULL,
	  "a valid client certificate is required to access this page",
	  "Client Certificate Required", "A valid client certificate is needed to use " WHAT "." },
};

static void expect(struct exchange_fixture *f, const struct refusal_row *row,
		   const char *type_headers)
{
	char headers[2048];

	(void)snprintf(headers, sizeof(headers),
		       "x-pomerium-reason: %s\nx-pomerium-message: %s\n%s" LAST_HEADERS,
		       row->reason, row->sentence, type_headers);
	exchange_fixture_expect(f, row->status, headers);
}

/* Without an Accept header, as the tunnel client asks. */
static void test_html(void **state)
{
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(refusal_rows); i++) {
		const struct refusal_row *row = &refusal_rows[i];
		char text[512];

		refuse(f, row->refusal, "");
		expect(f, row, PAGE_HEADERS);
		assert_true(exchange_fixture_body_has(f, "<!doctype html>\n"));
		(void)snprintf(text, sizeof(text), "<p role=\"alert\">%s</p>\n<p>", row->sentence);
		assert_true(exchange_fixture_body_has(f, text));
		(void)snprintf(text, sizeof(text), "<footer>%d %s \302\267 Request " ID "</footer>",
			       row->status, row->title);
		assert_true(exchange_fixture_body_has(f, text));
	}
}

static void test_json(void **state)
{
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(refusal_rows); i++) {
		const struct refusal_row *row = &refusal_rows[i];
		char body[512];

		refuse(f, row->refusal, "Accept: application/json\r\n");
		if (row->error) {
			expect(f, row, "content-type: application/json\n");
			(void)snprintf(body, sizeof(body),
				       "{\"error\":\"%s\",\"request_id\":\"<uuid>\"}", row->error);
		} else {
			expect(f, row, "content-type: application/json; charset=UTF-8\n");
			(void)snprintf(body, sizeof(body),
				       "{\n  \"requestId\": \"<uuid>\",\n  \"status\": \"%d\",\n"
				       "  \"statusText\": \"%s\"\n}",
				       row->status, row->details);
		}
		exchange_fixture_expect_body(f, body);
	}
}

/* protocol.md 9.4 counts the bytes. */
static void test_not_found_length(void **state)
{
	struct exchange_fixture *f = *state;

	refuse(f, REFUSAL_ROUTE_NOT_FOUND, "Accept: application/json\r\n");
	assert_int_equal(f->body.len, 111);
}

static void test_plain_text(void **state)
{
	struct exchange_fixture *f = *state;

	refuse(f, REFUSAL_OVERLOADED, "Accept: text/plain\r\n");
	expect(f, &refusal_rows[9], "content-type: text/plain; charset=UTF-8\n");
	exchange_fixture_expect_body(f, "{\n  \"requestId\": \"<uuid>\",\n  \"status\": \"503\",\n"
					"  \"statusText\": \"overload\"\n}");
	/* The authorizer offers no plain text. */
	refuse(f, REFUSAL_DENIED, "Accept: text/plain\r\n");
	expect(f, &refusal_rows[4], PAGE_HEADERS);
	refuse(f, REFUSAL_DENIED, "Accept: application/json;q=0.5, text/html\r\n");
	expect(f, &refusal_rows[4], PAGE_HEADERS);
}

static void test_kubernetes(void **state)
{
	struct exchange_fixture *f = *state;
	static const char agent[] = "User-Agent: kubectl/v1.30 (linux/amd64) kubernetes/4e3b1f\r\n"
				    "Accept: application/json\r\n";

	refuse(f, REFUSAL_DENIED, agent);
	expect(f, &refusal_rows[4], "content-type: application/json\n");
	exchange_fixture_expect_body(
		f,
		"{\"apiVersion\":\"v1\",\"code\":403,\"kind\":\"Status\",\"message\":\"Forbidden\","
		"\"reason\":\"Forbidden\",\"status\":\"Failure\"}");
	refuse(f, REFUSAL_SESSION_EXPIRED, agent);
	exchange_fixture_expect_body(
		f,
		"{\"apiVersion\":\"v1\",\"code\":401,\"kind\":\"Status\",\"message\":\"Unauthorized\","
		"\"reason\":\"Unauthorized\",\"status\":\"Failure\"}");
	refuse(f, REFUSAL_CLIENT_CERTIFICATE, agent);
	exchange_fixture_expect_body(
		f, "{\"apiVersion\":\"v1\",\"code\":495,\"kind\":\"Status\","
		   "\"message\":\"Client Certificate Required\",\"reason\":\"Unauthorized\","
		   "\"status\":\"Failure\"}");
	/* What the data plane says does not depend on the program. */
	refuse(f, REFUSAL_ROUTE_NOT_FOUND, agent);
	expect(f, &refusal_rows[0], "content-type: application/json; charset=UTF-8\n");
}

/* ---- 302 or 401 ---- */

static int login_status(struct exchange_fixture *f, const json_t *request)
{
	struct buf head = BUF_INIT(4096);
	struct str query = vectors_str(request, "query");
	const char *name;
	json_t *value;

	(void)buf_printf(&head, "GET /.pomerium/?%.*s HTTP/1.1\r\nHost: redis.example.com\r\n",
			 STR_FMT(query));
	json_object_foreach((json_t *)(uintptr_t)vectors_get(request, "headers"), name, value)
	{
		(void)buf_printf(&head, "%s: %s\r\n", name, json_string_value(value));
	}
	(void)buf_append_str(&head, STR("\r\n"));
	(void)buf_append_char(&head, '\0');

	struct exchange x;

	exchange_fixture_begin(f, &x, (const char *)head.data);
	assert_int_equal(respond_login(&x), STEP_DONE);
	exchange_fixture_end(&x);
	buf_done(&head);
	return f->status;
}

static void test_login_vectors(void **state)
{
	json_t *root = vectors_load("policy.json");
	const json_t *vectors = vectors_get(root, "login_response_vectors");
	size_t i;
	json_t *vector;

	assert_true(json_array_size(vectors) >= 16);
	json_array_foreach(vectors, i, vector)
	{
		if (login_status(*state, vectors_get(vector, "request")) !=
		    vectors_int(vector, "expect_status"))
			fail_msg("%s", vectors_str(vector, "id").at);
	}
	json_decref(root);
}

/* A cookie alone redirects; a token shown beside it makes the asker a program. */
static void test_login_with_cookies(void **state)
{
	static const struct {
		const char *headers;
		int status;
	} rows[] = {
		{ "Cookie: _pomerium=stale\r\n", 302 },
		{ "Cookie: _pomerium=stale\r\nAuthorization: Pomerium x\r\n", 401 },
		{ "Cookie: _pomerium=stale\r\nX-Pomerium-Authorization: x\r\n", 401 },
		{ "Cookie: _pomerium=stale\r\nAuthorization: Basic x\r\n", 302 },
		{ "Authorization: pomerium x\r\n", 302 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		exchange_fixture_sendf(*state, CONNECT "%s\r\n", rows[i].headers);
		assert_int_equal(((struct exchange_fixture *)*state)->status, rows[i].status);
	}
}

/* protocol.md 9.1, with the signature of the vector. */
static void test_connect_redirect(void **state)
{
	struct exchange_fixture *f = *state;
	json_t *root = vectors_load("login_flow.json");
	struct str expected = vectors_str(vectors_get(root, "step0_connect_without_token_location"),
					  "signed_url");

	exchange_fixture_send(f, STR(CONNECT "User-Agent: Go-http-client/1.1\r\n\r\n"));
	exchange_fixture_expect(f, 302,
				"location: " SIGN_IN "\n"
				"x-pomerium-reason: login-required\n"
				"x-pomerium-message: You have to log in to use " WHAT
				".\n" PAGE_HEADERS LAST_HEADERS);
	assert_true(str_equal(exchange_fixture_header(f, "location"), expected));
	assert_true(exchange_fixture_body_has(f, "<h1>You have to log in</h1>"));
	json_decref(root);
}

static void test_login_reasons(void **state)
{
	static const struct {
		const char *problem;
		const char *reason;
	} rows[] = {
		{ NULL, "login-required" },
		{ "session-unknown", "session-unknown" },
		{ "session-expired", "session-expired" },
	};
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange x;

		exchange_fixture_begin(f, &x, CONNECT "\r\n");
		x.credential_problem = rows[i].problem;
		assert_int_equal(respond_login(&x), STEP_DONE);
		assert_string_equal(x.outcome.reason, rows[i].reason);
		assert_string_equal(x.outcome.details, "ext_authz_denied");
		assert_true(str_equal(exchange_fixture_header(f, "x-pomerium-reason"),
				      str_from(rows[i].reason)));
		exchange_fixture_end(&x);
	}
}

/* ---- what is reflected ---- */

/* An e-mail address may hold almost anything: in HTML it is escaped, in a header it is ASCII. */
static void test_hostile_email(void **state)
{
	struct exchange_fixture *f = *state;
	const struct identity facts = {
		.user_id = STR("u"),
		.email = STR("<script>'\"&\xc3\xa9\r\nx-evil:1@example.com"),
	};
	struct session_facts session = { .who = identity_new(&facts) };
	struct exchange x;

	exchange_fixture_begin(f, &x, CONNECT "\r\n");
	x.session = session_new(&session);
	identity_unref(session.who);
	assert_int_equal(respond_refusal(&x, REFUSAL_DENIED), STEP_DONE);
	exchange_fixture_end(&x);
	assert_true(str_equal(
		exchange_fixture_header(f, "x-pomerium-message"),
		STR("<script>'\"&\?\?\?\?x-evil:1@example.com is not allowed to use " WHAT ".")));
	assert_true(str_is_empty(exchange_fixture_header(f, "x-evil")));
	assert_false(exchange_fixture_body_has(f, "<script>"));
	assert_true(exchange_fixture_body_has(
		f, "<p role=\"alert\">&lt;script&gt;&#39;&#34;&amp;????x-evil:1@"));
}

/* What a host may be is narrow, but it is not left to the parser to keep the page safe. */
static void test_hostile_authority(void **state)
{
	struct exchange_fixture *f = *state;
	struct exchange x;
	char longest[2000];

	exchange_fixture_begin(f, &x, CONNECT "\r\n");
	x.facts.authority = STR("<b>\"&'.example:1");
	assert_int_equal(respond_refusal(&x, REFUSAL_ROUTE_NOT_FOUND), STEP_DONE);
	assert_false(exchange_fixture_body_has(f, "<b>"));
	assert_true(exchange_fixture_body_has(f, "for &lt;b&gt;&#34;&amp;&#39;.example:1 on"));
	exchange_fixture_end(&x);

	memset(longest, 'a', sizeof(longest));
	exchange_fixture_begin(f, &x, CONNECT "\r\n");
	x.facts.authority = str_of(longest, sizeof(longest));
	assert_int_equal(respond_refusal(&x, REFUSAL_ROUTE_NOT_FOUND), STEP_DONE);
	assert_int_equal(f->status, 404);
	exchange_fixture_end(&x);
}

/* ---- errors of our own pages (6.2, last paragraph) ---- */

static void test_errors(void **state)
{
	struct exchange_fixture *f = *state;
	struct exchange x;

	exchange_fixture_begin(f, &x, CONNECT "Accept: application/json\r\n\r\n");
	assert_int_equal(respond_error(&x, 400, STR("Not to be told.")), STEP_DONE);
	exchange_fixture_expect(f, 400,
				"x-pomerium-reason: bad-request\n"
				"content-type: application/json\nx-content-type-options: nosniff\n"
				"x-pomerium-intercepted-response: true\n" LAST_HEADERS);
	exchange_fixture_expect_body(f, "{\"Status\":400,\"RequestID\":\"<uuid>\"}\n");
	exchange_fixture_end(&x);

	/* Only exactly that Accept counts here. */
	exchange_fixture_begin(f, &x, CONNECT "Accept: application/json, */*\r\n\r\n");
	assert_int_equal(respond_error(&x, 400, STR("Look: <i>&\"'.")), STEP_DONE);
	exchange_fixture_expect(f, 400,
				"x-pomerium-reason: bad-request\n" PAGE_HEADERS LAST_HEADERS);
	assert_true(exchange_fixture_body_has(
		f,
		"<h1>That did not work</h1>\n<p role=\"alert\">Look: &lt;i&gt;&amp;&#34;&#39;.</p>\n"));
	exchange_fixture_end(&x);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_html, setup, exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_json, setup, exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_not_found_length, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_plain_text, setup, exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_kubernetes, setup, exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_login_vectors, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_login_with_cookies, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_connect_redirect, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_login_reasons, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_email, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_authority, setup,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_errors, setup, exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
