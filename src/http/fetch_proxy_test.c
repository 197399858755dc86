/*
 * The peer of the fixture is the proxy here.
 */

#include "http/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/fetch_private.h"
#include "io/loop.h"
#include "tests/support/fetch_fixture.h"

/* "http://user:secret@127.0.0.1:port"; port 0: the peer's. */
static void set_proxy(struct fetch_fixture *f, const char *variable, unsigned port)
{
	char url[128];

	(void)snprintf(url, sizeof(url), "http://user:secret@127.0.0.1:%u",
		       port ? port : http_peer_port(f->peer));
	assert_int_equal(setenv(variable, url, 1), 0);
	fetch_fixture_new_fetcher(f, &(struct fetcher_options){ 0 });
}

static void test_http_goes_through_the_proxy(void **state)
{
	static const char *const variables[] = { "http_proxy", "HTTP_PROXY", "all_proxy",
						 "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		struct fetch_fixture f;

		fetch_fixture_init(&f, fetch_fixture_answer);
		set_proxy(&f, variables[i], 0);
		fetch_fixture_get(&f, "http://idp.example.com/x?y");
		fetch_fixture_expect_diary(&f, "GET http://idp.example.com/x?y;");
		assert_int_equal(f.status, 200);
		fetch_fixture_done(&f);
	}
}

static void refuse(struct http_peer_call *call)
{
	struct str value;

	(void)fetch_fixture_note(call);
	/* the proxy's password, but nothing that is meant for the host */
	assert_true(http_headers_get(&call->request->headers, STR("proxy-authorization"), &value));
	assert_true(str_equal(value, STR("Basic dXNlcjpzZWNyZXQ=")));
	assert_false(http_headers_get(&call->request->headers, STR("authorization"), &value));
	http_peer_respond(call, &(struct http_response){ .status = 403, .body = STR("secret") });
}

static void test_https_goes_through_the_proxy(void **state)
{
	static const char *const variables[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
						 "ALL_PROXY" };
	static const struct http_header header = { STR("Authorization"), STR("Bearer secret") };

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		struct fetch_fixture f;
		char expected[128];

		fetch_fixture_init(&f, refuse);
		set_proxy(&f, variables[i], 0);
		fetch_fixture_start(
			&f, (struct fetch_request){ .url = STR("https://idp.example.com/secret"),
						    .headers = &header,
						    .header_count = 1 });
		fetch_fixture_wait(&f, 1);
		fetch_fixture_expect_diary(&f, "CONNECT idp.example.com:443;");
		(void)snprintf(expected, sizeof(expected),
			       "proxy 127.0.0.1:%u: it does not connect to idp.example.com: "
			       "403 Forbidden",
			       http_peer_port(f.peer));
		fetch_fixture_expect_error(&f, ERR_PROTOCOL, expected);
		assert_null(strstr(f.error.text, "secret"));
		fetch_fixture_done(&f);
	}
}

static void test_no_proxy(void **state)
{
	static const char *const values[] = { "*", "127.0.0.1", "x.example,127.0.0.0/8" };
	static const char *const variables[] = { "no_proxy", "NO_PROXY" };

	for (size_t i = 0; i < ARRAY_LEN(values) * ARRAY_LEN(variables); i++) {
		struct fetch_fixture f;

		fetch_fixture_init(&f, fetch_fixture_answer);
		set_proxy(&f, "http_proxy", free_port());
		assert_int_equal(setenv(variables[i % 2], values[i / 2], 1), 0);
		fetch_fixture_get(&f, fetch_fixture_url(&f, "/x").at);
		fetch_fixture_expect_diary(&f, "GET /x;");
		assert_int_equal(f.status, 200);
		fetch_fixture_done(&f);
	}
}

static void test_names_whom_it_cannot_reach(void **state)
{
	struct fetch_fixture f;
	uint16_t port = free_port();
	char url[64];
	char expected[128];

	fetch_fixture_init(&f, fetch_fixture_answer);
	set_proxy(&f, "http_proxy", port);
	(void)snprintf(expected, sizeof(expected),
		       "proxy 127.0.0.1:%u: no connection: Connection refused", port);
	fetch_fixture_get(&f, "http://idp.example.com/");
	fetch_fixture_expect_error(&f, ERR_REFUSED, expected);

	/* the host itself, for which the proxy does not count */
	assert_int_equal(setenv("no_proxy", "127.0.0.1", 1), 0);
	set_proxy(&f, "http_proxy", 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
	fetch_fixture_get(&f, url);
	(void)snprintf(expected, sizeof(expected), "127.0.0.1:%u: no connection: ", port);
	fetch_fixture_expect_error(&f, ERR_REFUSED, expected);
	fetch_fixture_done(&f);
}

#define NO_NAME "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeee.example"

static void test_proxy_without_address(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, fetch_fixture_answer);
	assert_int_equal(setenv("http_proxy", "http://user:secret@" NO_NAME ":3128/", 1), 0);
	fetch_fixture_new_fetcher(&f, &(struct fetcher_options){ 0 });
	fetch_fixture_get(&f, "http://idp.example.com/");
	fetch_fixture_expect_error(&f, ERR_DNS,
				   "proxy " NO_NAME ":3128: the name does not resolve");
	fetch_fixture_done(&f);
}

/* The environment is read once. */
static void test_later_changes_do_not_count(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, fetch_fixture_answer);
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	fetch_fixture_get(&f, fetch_fixture_url(&f, "/x").at);
	assert_int_equal(f.status, 200);
	fetch_fixture_done(&f);
}

struct name_case {
	const char *proxy;
	const char *name;
};

static const struct name_case name_cases[] = {
	{ "", "" },
	{ "proxy.example.com", "proxy.example.com" },
	{ "proxy.example.com:3128", "proxy.example.com:3128" },
	{ "http://proxy.example.com:3128/", "proxy.example.com:3128" },
	{ "socks5h://proxy.example.com", "proxy.example.com" },
	{ "http://user@proxy.example.com", "proxy.example.com" },
	{ "user:secret@proxy.example.com:1", "proxy.example.com:1" },
	{ "https://user:se/cr@et@[::1]:3128/", "[::1]:3128" },
};

static void test_proxy_name(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(name_cases); i++) {
		struct str name = fetch_proxy_name(name_cases[i].proxy);

		if (!str_equal(name, str_from(name_cases[i].name)))
			fail_msg("%s: %.*s", name_cases[i].proxy, STR_FMT(name));
	}
}

/* ---- authorities ---- */

struct authorities_case {
	const char *dir;
	const char *file;
	const char *extra;
	const char *expected_dir; /* NULL: whatever the system has */
	const char *expected_file;
	const char *expected_pem;
};

static void test_authorities_of_the_environment(void **state)
{
	char path[] = "/tmp/fetch-test-XXXXXX";
	const struct authorities_case cases[] = {
		{ "/d", NULL, "", "/d", NULL, "" },
		{ "/d", path, "", "/d", path, "" },
		{ "/d", path, "extra\n", "/d", path, "file\n\nextra\n" },
		{ "/d", "/nowhere/ca.pem", "extra\n", "/d", "/nowhere/ca.pem", "\nextra\n" },
		{ NULL, path, "extra\n", NULL, path, "file\n\nextra\n" },
	};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "file\n", 5), 5);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct authorities_case *c = &cases[i];
		const struct fetcher_options options = { .extra_ca_pem = str_from(c->extra) };
		struct fetch_env env = { 0 };

		if (c->dir)
			assert_int_equal(setenv("SSL_CERT_DIR", c->dir, 1), 0);
		if (c->file)
			assert_int_equal(setenv("SSL_CERT_FILE", c->file, 1), 0);
		assert_int_equal(fetch_env_read(&env, &options, NULL), 0);
		if (c->expected_dir)
			assert_string_equal(env.ca_dir, c->expected_dir);
		if (c->expected_file)
			assert_string_equal(env.ca_file, c->expected_file);
		else
			assert_null(env.ca_file);
		assert_true(str_equal(buf_view(&env.ca_pem), str_from(c->expected_pem)));
		fetch_env_done(&env);
		assert_int_equal(unsetenv("SSL_CERT_DIR"), 0);
		assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	}
	assert_int_equal(unlink(path), 0);
}

/* Other ones later: all of the new ones, or all of the old. */
static void test_authorities_are_changed(void **state)
{
	const struct fetcher_options options = { .extra_ca_pem = STR("first\n") };
	struct fetch_env env = { 0 };
	struct err e = { 0 };

	assert_int_equal(setenv("SSL_CERT_FILE", "/nowhere/ca.pem", 1), 0);
	assert_int_equal(fetch_env_read(&env, &options, NULL), 0);
	assert_int_equal(fetch_env_set_authorities(&env, STR("second\n"), NULL), 0);
	assert_true(str_equal(buf_view(&env.ca_pem), STR("\nsecond\n")));
	mem_freep(&env.ca_file);
	env.ca_file = mem_copy_string("/tmp"); /* cannot be read */
	assert_int_equal(fetch_env_set_authorities(&env, STR("third\n"), &e), -1);
	assert_non_null(strstr(e.text, "/tmp"));
	assert_true(str_equal(buf_view(&env.ca_pem), STR("\nsecond\n")));
	assert_int_equal(fetch_env_set_authorities(&env, STR(""), NULL), 0);
	assert_int_equal(env.ca_pem.len, 0);
	fetch_env_done(&env);
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_goes_through_the_proxy),
		cmocka_unit_test(test_https_goes_through_the_proxy),
		cmocka_unit_test(test_no_proxy),
		cmocka_unit_test(test_names_whom_it_cannot_reach),
		cmocka_unit_test(test_proxy_without_address),
		cmocka_unit_test(test_later_changes_do_not_count),
		cmocka_unit_test(test_proxy_name),
		cmocka_unit_test(test_authorities_of_the_environment),
		cmocka_unit_test(test_authorities_are_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
