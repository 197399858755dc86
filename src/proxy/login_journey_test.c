/*
 * login_journey_test.c - the login as a program sees it, against the vectors (protocol.md 3.1 to 3.7)
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
#include "jose/seal.h"
#include "session/signed_url.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"
#include "tests/vectors/vectors.h"

#define REDIRECT "http%3A%2F%2F127.0.0.1%3A45678"
#define API      "/.pomerium/api/v1/login?pomerium_redirect_uri="

struct journey {
	struct exchange_fixture f;
	json_t *vectors;
};

static int setup(void **state)
{
	struct journey *j = mem_alloc(sizeof(*j));

	j->vectors = vectors_load("login_flow.json");
	exchange_fixture_init(&j->f, FIXTURE_SETTINGS);
	exchange_fixture_set_idp_id(&j->f, "7EXAMPLEidpIdentifierOpaqueToClients01");
	*state = j;
	return 0;
}

static int teardown(void **state)
{
	struct journey *j = *state;

	exchange_fixture_done(&j->f);
	json_decref(j->vectors);
	mem_free(j);
	return 0;
}

static struct str signed_vector(const struct journey *j, const char *step)
{
	return vectors_str(vectors_get(j->vectors, step), "signed_url");
}

/* A GET of the URL on the host it names. */
static void get_url(struct exchange_fixture *f, struct str text, const char *more_headers)
{
	struct url url;

	assert_int_equal(url_parse(text, &url, NULL), 0);
	exchange_fixture_sendf(f, "GET %.*s?%.*s HTTP/1.1\r\nHost: %.*s\r\n%s\r\n",
			       STR_FMT(url.path), STR_FMT(url.query), STR_FMT(url.authority.text),
			       more_headers);
}

/* ---- 3.1 ---- */

static void test_login_api(void **state)
{
	struct journey *j = *state;

	exchange_fixture_send(&j->f, vectors_str(j->vectors, "step1_request"));
	exchange_fixture_expect(&j->f, 200,
				"content-type: text/plain; charset=utf-8\nserver: pomerium\n"
				"x-request-id: <uuid>\n");
	assert_true(str_equal(buf_view(&j->f.body), signed_vector(j, "step1_sign_in_url")));
	assert_int_equal(j->f.body.len, 450);
}

struct api_row {
	const char *query; /* behind "/.pomerium/api/v1/login" */
	int status;
};

static const struct api_row api_rows[] = {
	{ "", 404 },
	{ "?", 404 },
	{ "?other=1", 404 },
	{ "?POMERIUM_REDIRECT_URI=" REDIRECT, 404 },
	{ "?pomerium_redirect_uri", 400 },
	{ "?pomerium_redirect_uri=", 400 },
	{ "?pomerium_redirect_uri=%2Fpath", 400 },
	{ "?pomerium_redirect_uri=127.0.0.1%3A1", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F", 400 },
	{ "?pomerium_redirect_uri=%2F%2Flocalhost", 400 },
	{ "?pomerium_redirect_uri=ftp%3A%2F%2Flocalhost", 400 },
	{ "?pomerium_redirect_uri=javascript%3A%2F%2Flocalhost%2F%250aalert(1)", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Fexample.com", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Flocalhost.example.com", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Flocalhost%40example.com", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Fexample.com%2F%40localhost", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Fexample.com%5C%40localhost", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1.example.com", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F128.0.0.1", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%0d%0aX%3A1", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%00", 400 },
	{ "?pomerium_redirect_uri=%zz", 400 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Fexample.com&pomerium_redirect_uri=" REDIRECT, 400 },
	{ "?pomerium_redirect_uri=" REDIRECT, 200 },
	{ "?a=b&pomerium_redirect_uri=" REDIRECT "&c=%0d%0a", 200 },
	{ "?pomerium_redirect_uri=http%3A%2F%2Flocalhost", 200 },
	{ "?pomerium_redirect_uri=https%3A%2F%2Flocalhost%3A1%2Fx%3Fy%3Dz", 200 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F127.255.255.254%3A9", 200 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%3A9", 200 },
	{ "?pomerium_redirect_uri=http%3A%2F%2F%5B%3A%3A2%5D%3A9", 400 },
};

static void check_api(struct exchange_fixture *f, const struct api_row *row)
{
	exchange_fixture_sendf(
		f, "GET /.pomerium/api/v1/login%s HTTP/1.1\r\nHost: h.example\r\n\r\n", row->query);
	if (f->status != row->status)
		fail_msg("%s: %d", row->query, f->status);
	if (row->status == 200)
		assert_true(str_starts_with(buf_view(&f->body), STR("https://" FIXTURE_AUTH_HOST
								    "/.pomerium/sign_in?")));
	if (row->status == 404)
		exchange_fixture_expect_body(f, "Not Found\n");
}

static void test_login_api_rules(void **state)
{
	struct journey *j = *state;

	for (size_t i = 0; i < ARRAY_LEN(api_rows); i++)
		check_api(&j->f, &api_rows[i]);
	exchange_fixture_send(&j->f, STR("GET " API "x HTTP/1.1\r\nHost: h.example\r\n"
					 "Accept: application/json\r\n\r\n"));
	exchange_fixture_expect_body(&j->f, "{\"Status\":400,\"RequestID\":\"<uuid>\"}\n");
}

/* Entries are compared exactly; loopback addresses are allowed through "localhost" only. */
static void test_whitelist(void **state)
{
	static const struct api_row rows[] = {
		{ "?pomerium_redirect_uri=http%3A%2F%2Fci.example.com%3A99", 200 },
		{ "?pomerium_redirect_uri=http%3A%2F%2FCI.example.com", 400 },
		{ "?pomerium_redirect_uri=http%3A%2F%2Fx.ci.example.com", 400 },
		{ "?pomerium_redirect_uri=" REDIRECT, 400 },
		{ "?pomerium_redirect_uri=http%3A%2F%2Flocalhost", 400 },
	};
	struct journey *j = *state;

	exchange_fixture_reload(&j->f, FIXTURE_SETTINGS
				"programmatic_redirect_domain_whitelist: [ci.example.com]\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_api(&j->f, &rows[i]);
}

/*
 * The authority as received, with its port, is where the token will be delivered, if it is ours: anybody may ask with a
 * name of his own, have somebody else follow the link, and take the token.
 */
static void test_login_api_host(void **state)
{
	static const struct {
		const char *host;
		const char *callback_host;
	} rows[] = {
		{ "redis.example.com", "redis.example.com" },
		{ "Redis.Example.com:8443", "Redis.Example.com%3A8443" },
		{ FIXTURE_AUTH_HOST, FIXTURE_AUTH_HOST },
		{ "evil.example", FIXTURE_AUTH_HOST },
		{ "redis.example.com.evil.example", FIXTURE_AUTH_HOST },
		{ "x.redis.example.com", FIXTURE_AUTH_HOST },
		{ "redis.example.com.", FIXTURE_AUTH_HOST },
		{ "[2001:db8::1]:443", FIXTURE_AUTH_HOST },
		{ FIXTURE_AUTH_HOST ".evil.example:443", FIXTURE_AUTH_HOST },
	};
	struct journey *j = *state;
	char expected[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		exchange_fixture_sendf(&j->f, "GET " API "%s HTTP/1.1\r\nHost: %s\r\n\r\n",
				       REDIRECT, rows[i].host);
		(void)snprintf(
			expected, sizeof(expected),
			"?pomerium_callback_uri=https%%3A%%2F%%2F%s%%2F.pomerium%%2Fcallback%%2F%%3F",
			rows[i].callback_host);
		if (!exchange_fixture_body_has(&j->f, expected))
			fail_msg("%s", rows[i].host);
	}
	/* Without a login host of its own, the login is where the program asked. */
	exchange_fixture_reload(&j->f, FIXTURE_USERS);
	exchange_fixture_send(&j->f,
			      STR("GET " API REDIRECT " HTTP/1.1\r\nHost: h.example:8443\r\n\r\n"));
	assert_true(str_starts_with(buf_view(&j->f.body),
				    STR("https://h.example:8443/.pomerium/sign_in?")));
}

/* ---- 3.4 step 6 ---- */

static void test_callback(void **state)
{
	struct journey *j = *state;
	struct str cookie = vectors_str(j->vectors, "step5_set_cookie");
	struct str location = vectors_str(j->vectors, "step5_location");

	clock_fake_set_unix(FIXTURE_NOW + 5);
	get_url(&j->f, signed_vector(j, "step4_callback_url"), "");
	assert_int_equal(j->f.status, 302);
	assert_true(str_equal(exchange_fixture_header(&j->f, "set-cookie"), cookie));
	assert_true(str_equal(exchange_fixture_header(&j->f, "location"), location));
	assert_true(str_equal(exchange_fixture_header(&j->f, "x-pomerium-intercepted-response"),
			      STR("true")));
	assert_true(
		str_equal(exchange_fixture_header(&j->f, "referrer-policy"), STR("no-referrer")));
	/* Neither the token nor the envelope gets into the log. */
	assert_null(strstr(exchange_fixture_log(&j->f), "eyJ"));
	assert_int_equal(j->f.body.len, 0);
}

/* Sealed by whoever has the key; opened by nobody else. */
static struct str callback_with(struct journey *j, struct arena *arena, const struct query *params)
{
	struct buf url = BUF_INIT(URL_MAX);
	struct str result;

	assert_int_equal(signed_url_sign(j->f.worker.snapshot->shared_key,
					 STR("https://redis.example.com/.pomerium/callback/"),
					 params, clock_now_unix(), &url, NULL),
			 0);
	result = arena_copy(arena, buf_view(&url));
	buf_done(&url);
	return result;
}

static struct str seal(struct journey *j, struct arena *arena, struct str token,
		       const char *other_key)
{
	const char *key = other_key ? other_key : j->f.worker.snapshot->shared_key.at;
	struct buf sealed = BUF_INIT(4096);
	struct buf text = BUF_INIT(4096);
	struct str result;

	assert_int_equal(seal_close((const uint8_t *)key, token, STR(""), &sealed, NULL), 0);
	assert_int_equal(base64_encode(&text, BASE64_URL_PADDED, sealed.data, sealed.len), 0);
	result = arena_copy(arena, buf_view(&text));
	buf_done(&sealed);
	buf_done(&text);
	return result;
}

struct callback_row {
	const char *redirect_uri; /* NULL: none */
	const char *programmatic;
	const char *sealed; /* NULL: "tok" under our key; "-": none; "other": under another key */
	int status;
	const char *location;
};

static const struct callback_row callback_rows[] = {
	{ "http://127.0.0.1:1", "true", NULL, 302, "http://127.0.0.1:1?pomerium_jwt=tok" },
	{ "http://127.0.0.1:1/p?b=2&a=1+x", "true", NULL, 302,
	  "http://127.0.0.1:1/p?a=1+x&b=2&pomerium_jwt=tok" },
	{ "http://127.0.0.1:1/?pomerium_jwt=old", "true", NULL, 302,
	  "http://127.0.0.1:1/?pomerium_jwt=tok" },
	{ "https://redis.example.com/x?y", NULL, NULL, 302, "https://redis.example.com/x?y" },
	{ "https://redis.example.com/x?y", "false", NULL, 302, "https://redis.example.com/x?y" },
	{ "https://redis.example.com/", "TRUE", NULL, 302, "https://redis.example.com/" },
	{ NULL, "true", NULL, 400, NULL },
	{ "no url", "true", NULL, 400, NULL },
	{ "http://127.0.0.1:1", "true", "-", 400, NULL },
	{ "http://127.0.0.1:1", "true", "other", 400, NULL },
	{ "http://127.0.0.1:1", "true", "AAAA", 400, NULL },
	{ "http://127.0.0.1:1", "true", "", 400, NULL },
	{ "http://127.0.0.1:1", "true", "***", 400, NULL },
};

static void check_callback(struct journey *j, const struct callback_row *row)
{
	struct query params = { 0 };
	struct arena arena = { 0 };

	if (row->redirect_uri)
		query_add(&params, STR("pomerium_redirect_uri"), str_from(row->redirect_uri));
	if (row->programmatic)
		query_add(&params, STR("pomerium_programmatic"), str_from(row->programmatic));
	if (!row->sealed)
		query_add(&params, STR("pomerium_session_encrypted"),
			  seal(j, &arena, STR("tok"), NULL));
	else if (strcmp(row->sealed, "other") == 0)
		query_add(&params, STR("pomerium_session_encrypted"),
			  seal(j, &arena, STR("tok"), "another key of thirty-two bytes!"));
	else if (strcmp(row->sealed, "-") != 0)
		query_add(&params, STR("pomerium_session_encrypted"), str_from(row->sealed));
	get_url(&j->f, callback_with(j, &arena, &params), "");
	if (j->f.status != row->status)
		fail_msg("%s: %d", row->redirect_uri, j->f.status);
	if (row->location &&
	    !str_equal(exchange_fixture_header(&j->f, "location"), str_from(row->location)))
		fail_msg("%s", (const char *)j->f.headers.data);
	assert_int_equal(str_is_empty(exchange_fixture_header(&j->f, "set-cookie")),
			 row->status != 302);
	arena_done(&arena);
}

static void test_callback_forms(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(callback_rows); i++)
		check_callback(*state, &callback_rows[i]);
}

/* Whatever was signed: a redirect never carries a byte that would end its header. */
static void test_callback_hostile_location(void **state)
{
	static const char *const locations[] = {
		"https://h.example/\r\nset-cookie: evil=1",
		"https://h.example/\n",
		"javascript:alert(1)",
		"//h.example/",
		"https://h.example/ x",
		"",
	};
	struct journey *j = *state;

	for (size_t i = 0; i < ARRAY_LEN(locations); i++)
		check_callback(
			j, &(struct callback_row){ .redirect_uri = locations[i], .status = 400 });
}

/* A callback works only where and when it was meant to. */
static void test_callback_elsewhere(void **state)
{
	struct journey *j = *state;
	struct str url = signed_vector(j, "step4_callback_url");
	struct str query = str_from_pos(url, str_find(url, '?') + 1);

	exchange_fixture_sendf(
		&j->f, "GET /.pomerium/callback/?%.*s HTTP/1.1\r\nHost: other.example.com\r\n\r\n",
		STR_FMT(query));
	assert_int_equal(j->f.status, 400);
	exchange_fixture_sendf(
		&j->f,
		"GET /.pomerium/callback/?%.*s HTTP/1.1\r\nHost: redis.example.com:8443\r\n\r\n",
		STR_FMT(query));
	assert_int_equal(j->f.status, 400);
	exchange_fixture_sendf(
		&j->f,
		"GET /.pomerium/callback/?%.*s&x=1 HTTP/1.1\r\nHost: redis.example.com\r\n\r\n",
		STR_FMT(query));
	assert_int_equal(j->f.status, 400);
	clock_fake_set_unix(FIXTURE_NOW + 5 + 300 + 60);
	get_url(&j->f, url, "");
	assert_int_equal(j->f.status, 302);
	clock_fake_set_unix(FIXTURE_NOW + 5 + 300 + 61);
	get_url(&j->f, url, "");
	assert_int_equal(j->f.status, 400);
	assert_true(str_is_empty(exchange_fixture_header(&j->f, "set-cookie")));
	assert_true(exchange_fixture_body_has(&j->f, "This link is not valid: "));
}

/* A script could not show the login page (3.4 step 2). */
static void test_sign_in_of_a_script(void **state)
{
	struct journey *j = *state;

	get_url(&j->f, signed_vector(j, "step1_sign_in_url"),
		"X-Requested-With: XMLHttpRequest\r\n");
	assert_int_equal(j->f.status, 401);
	assert_true(str_equal(exchange_fixture_header(&j->f, "x-pomerium-reason"),
			      STR("login-required")));
	assert_true(str_is_empty(exchange_fixture_header(&j->f, "location")));
}

/* Even a link that we had signed would bring a token to nobody but hosts of ours, and only over TLS. */
static void test_where_a_token_may_go(void **state)
{
	static const struct {
		const char *redirect;
		const char *callback; /* NULL: none is given */
		int status;
	} rows[] = {
		{ "https://redis.example.com/x", NULL, 302 },
		{ "https://REDIS.example.com:8443/x", NULL, 302 },
		{ "https://authenticate.example.com/.pomerium/device", NULL, 302 },
		{ "http://127.0.0.1:45678", "https://redis.example.com/.pomerium/callback/", 302 },
		{ "http://127.0.0.1:45678", "http://redis.example.com/.pomerium/callback/", 400 },
		{ "http://127.0.0.1:45678", "https://evil.example.com/.pomerium/callback/", 400 },
		{ "http://127.0.0.1:45678", "ftp://redis.example.com/", 400 },
		{ "https://evil.example.com/", NULL, 400 },
		{ "https://redis.example.com.evil.example.com/", NULL, 400 },
	};
	struct journey *j = *state;
	char *token = exchange_fixture_log_in(&j->f, "alice@example.com");
	struct buf cookie = BUF_INIT(JWS_MAX + 64);

	(void)buf_printf(&cookie, "Cookie: _pomerium_authenticate=%s\r\n%c", token, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf url = BUF_INIT(URL_MAX);
		struct query params = { 0 };

		query_add(&params, STR("pomerium_redirect_uri"), str_from(rows[i].redirect));
		if (rows[i].callback)
			query_add(&params, STR("pomerium_callback_uri"),
				  str_from(rows[i].callback));
		assert_int_equal(
			signed_url_sign(j->f.worker.snapshot->shared_key,
					STR("https://" FIXTURE_AUTH_HOST "/.pomerium/sign_in"),
					&params, FIXTURE_NOW, &url, NULL),
			0);
		get_url(&j->f, buf_view(&url), (const char *)cookie.data);
		if (j->f.status != rows[i].status)
			fail_msg("%s: %d", rows[i].redirect, j->f.status);
		buf_done(&url);
	}
	buf_done_secret(&cookie);
	mem_free_secret(token);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_login_api, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login_api_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whitelist, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login_api_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sign_in_of_a_script, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_a_token_may_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback_hostile_location, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback_elsewhere, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
