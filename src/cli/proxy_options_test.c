/*
 * Which proxy counts for which gateway.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/destination.h"
#include "cli/options.h"
#include "cli/proxy_options.h"

static const struct {
	const char *flag;
	struct proxy_environment environment;
	const char *gateway;
	const char *name; /* NULL: directly */
} cases[] = {
	{ NULL, { .all = { NULL } }, "https://gw.example", NULL },
	{ NULL, { .https = { NULL, "http://a:1" } }, "https://gw.example", "http://a:1" },
	{ NULL, { .https = { "", "http://a:1" } }, "https://gw.example", "http://a:1" },
	{ NULL, { .https = { "http://b:1", "http://a:1" } }, "https://gw.example", "http://b:1" },
	{ NULL, { .https = { "http://a:1" } }, "http://gw.example", NULL },
	{ NULL, { .http = { "http://a:1" } }, "http://gw.example", "http://a:1" },
	{ NULL, { .http = { "http://a:1" } }, "https://gw.example", NULL },
	{ NULL, { .all = { NULL, "socks5://a" } }, "https://gw.example", "socks5://a:1080" },
	{ NULL, { .all = { NULL, "socks5://a" } }, "http://gw.example", "socks5://a:1080" },
	{ NULL,
	  { .https = { "http://a:1" }, .all = { "socks5://b" } },
	  "https://gw.example",
	  "http://a:1" },
	{ NULL,
	  { .all = { "http://a:1" }, .none = { NULL, "example" } },
	  "https://gw.example",
	  NULL },
	{ NULL,
	  { .all = { "http://a:1" }, .none = { "example:8443" } },
	  "https://gw.example:8443",
	  NULL },
	{ NULL,
	  { .all = { "http://a:1" }, .none = { "example:8443" } },
	  "https://gw.example",
	  "http://a:1" },
	{ NULL, { .all = { "http://a:1" } }, "https://localhost", NULL },
	{ NULL, { .all = { "http://a:1" } }, "https://127.0.0.1:8443", NULL },
	{ NULL, { .all = { "http://a:1" } }, "https://[::1]:8443", NULL },
	{ "http://f:2",
	  { .all = { "http://a:1" }, .none = { "*" } },
	  "https://gw.example",
	  "http://f:2" },
	{ "http://f:2", { .all = { NULL } }, "https://127.0.0.1:8443", "http://f:2" },
	{ "socks5h://f", { .all = { NULL } }, "http://gw.example", "socks5h://f:1080" },
	{ "none", { .all = { "http://a:1" } }, "https://gw.example", NULL },
	{ "", { .all = { "http://a:1" } }, "https://gw.example", NULL },
	{ "none", { .all = { "sesame:" } }, "https://gw.example", NULL },
};

static void test_choice(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxy_options proxies;
		struct destination destination = { 0 };
		const struct proxy_url *chosen;
		struct err e;

		assert_int_equal(destination_parse(STR("db:1"), cases[i].gateway, &destination, &e),
				 0);
		if (proxy_options_read(cases[i].flag, &cases[i].environment, &proxies, &e) < 0)
			fail_msg("%zu: %s", i, e.text);
		chosen = proxy_options_choose(&proxies, &destination);
		if (!chosen != !cases[i].name ||
		    (chosen && strcmp(chosen->name, cases[i].name) != 0))
			fail_msg("%zu: %s", i, chosen ? chosen->name : "directly");
		assert_null(proxy_options_choose(NULL, &destination));
		proxy_options_done(&proxies);
		destination_done(&destination);
	}
}

static void test_choice_for_others(void **state)
{
	static const struct {
		const char *flag;
		struct proxy_environment environment;
		const char *host;
		bool is_http_request;
		const char *name; /* NULL: directly */
	} rows[] = {
		{ NULL, { .all = { NULL } }, "a.test", false, NULL },
		{ NULL, { .https = { "http://a:1" } }, "a.test", false, "http://a:1" },
		{ NULL, { .https = { "http://a:1" } }, "a.test", true, NULL },
		{ NULL, { .http = { "http://b:1" } }, "a.test", true, "http://b:1" },
		{ NULL, { .http = { "http://b:1" } }, "a.test", false, NULL },
		{ NULL, { .all = { "http://a:1" }, .none = { "test" } }, "a.test", false, NULL },
		{ NULL,
		  { .all = { "http://a:1" }, .none = { ":80,a.test:80" } },
		  "a.test",
		  false,
		  NULL },
		{ "http://f:2",
		  { .all = { NULL }, .none = { "*" } },
		  "a.test",
		  false,
		  "http://f:2" },
		{ "http://f:2", { .all = { NULL } }, "localhost", false, NULL },
		{ "http://f:2", { .all = { NULL } }, "127.0.0.1", true, NULL },
		{ "none", { .all = { "http://a:1" } }, "a.test", false, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_options proxies;
		const struct proxy_url *chosen;
		struct err e;

		assert_int_equal(
			proxy_options_read(rows[i].flag, &rows[i].environment, &proxies, &e), 0);
		chosen = proxy_options_choose_for_other(&proxies, str_from(rows[i].host), 80,
							rows[i].is_http_request);
		if (!chosen != !rows[i].name || (chosen && strcmp(chosen->name, rows[i].name) != 0))
			fail_msg("%zu: %s", i, chosen ? chosen->name : "directly");
		proxy_options_done(&proxies);
	}
}

static void test_circle(void **state)
{
	static const struct {
		const char *proxy;
		const char *address;
		bool leads_there;
	} rows[] = {
		{ "http://localhost:3128", "127.0.0.1:3128", true },
		{ "http://127.0.0.1:3128", "0.0.0.0:3128", true },
		{ "socks5://[::1]:3128", "[::]:3128", true },
		{ "http://192.0.2.1:3128", "192.0.2.1:3128", true },
		{ "http://192.0.2.1:3128", "127.0.0.1:3128", false },
		{ "http://localhost:3129", "127.0.0.1:3128", false },
		{ "http://localhost:3128", "192.0.2.1:3128", false },
		{ "http://localhost:3128", "unix:/run/x:3128", false },
		{ "none", "127.0.0.1:3128", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct proxy_environment nothing = { .all = { NULL } };
		struct proxy_options proxies;
		struct err e;

		assert_int_equal(proxy_options_read(rows[i].proxy, &nothing, &proxies, &e), 0);
		if (proxy_options_lead_to(&proxies, str_from(rows[i].address)) !=
		    rows[i].leads_there)
			fail_msg("%zu: %s at %s", i, rows[i].proxy, rows[i].address);
		proxy_options_done(&proxies);
	}
}

static const struct {
	const char *flag;
	struct proxy_environment environment;
	const char *begin;
} bad[] = {
	{ "ftp://sesame@a", { .all = { NULL } }, "--proxy does not name a proxy: " },
	{ NULL, { .https = { "ftp://sesame@a" } }, "HTTPS_PROXY does not name a proxy: " },
	{ NULL, { .http = { "ftp://sesame@a" } }, "HTTP_PROXY does not name a proxy: " },
	{ NULL, { .all = { "ftp://sesame@a" } }, "ALL_PROXY does not name a proxy: " },
};

static void test_bad_settings(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct proxy_options proxies;
		struct err e = { 0 };

		assert_int_equal(proxy_options_read(bad[i].flag, &bad[i].environment, &proxies, &e),
				 -1);
		assert_int_equal(strncmp(e.text, bad[i].begin, strlen(bad[i].begin)), 0);
		assert_null(strstr(e.text, "sesame"));
	}
}

static void test_argument_is_hidden(void **state)
{
	char argument[] = "http://ada:sesame@127.0.0.1:9";
	const struct options options = { .proxy = argument };
	struct proxy_options proxies;
	struct err e;

	assert_int_equal(proxy_options_load(&options, NULL, &proxies, &e), 0);
	assert_string_equal(argument, "http://xxxxxxxxxx@127.0.0.1:9");
	assert_string_equal(proxies.for_https.password, "sesame");
	proxy_options_done(&proxies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_choice_for_others),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_argument_is_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
