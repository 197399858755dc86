/*
 * Addresses of proxies as people write them, and lists of exceptions.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/proxy_url.h"

static const struct {
	const char *text;
	enum proxy_kind kind;
	const char *host;
	uint16_t port;
	const char *user; /* NULL: none */
	const char *password;
	const char *name;
} good[] = {
	{ "http://proxy.corp:3128", PROXY_HTTP, "proxy.corp", 3128, NULL, NULL,
	  "http://proxy.corp:3128" },
	{ "proxy.corp:3128", PROXY_HTTP, "proxy.corp", 3128, NULL, NULL, "http://proxy.corp:3128" },
	{ " HTTP://proxy.corp/ ", PROXY_HTTP, "proxy.corp", 80, NULL, NULL,
	  "http://proxy.corp:80" },
	{ "https://proxy.corp", PROXY_HTTPS, "proxy.corp", 443, NULL, NULL,
	  "https://proxy.corp:443" },
	{ "socks5://[::1]", PROXY_SOCKS5, "::1", 1080, NULL, NULL, "socks5://[::1]:1080" },
	{ "socks5h://10.0.0.1:99", PROXY_SOCKS5H, "10.0.0.1", 99, NULL, NULL,
	  "socks5h://10.0.0.1:99" },
	{ "http://ada@p:1", PROXY_HTTP, "p", 1, "ada", "", "http://p:1" },
	{ "http://ada:lace@p:1", PROXY_HTTP, "p", 1, "ada", "lace", "http://p:1" },
	{ "http://a%40b:p%3A%2f+%25@p:1", PROXY_HTTP, "p", 1, "a@b", "p:/+%", "http://p:1" },
	{ "http://a:b@c@p:1", PROXY_HTTP, "p", 1, "a", "b@c", "http://p:1" },
	{ "http://a:b:c@p:1", PROXY_HTTP, "p", 1, "a", "b:c", "http://p:1" },
	{ "socks5://a%3Ab:c@p", PROXY_SOCKS5, "p", 1080, "a:b", "c", "socks5://p:1080" },
};

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct proxy_url url;
		struct err e;

		if (proxy_url_parse(str_from(good[i].text), &url, &e) < 0)
			fail_msg("%s: %s", good[i].text, e.text);
		assert_int_equal(url.kind, good[i].kind);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.port, good[i].port);
		assert_string_equal(url.name, good[i].name);
		assert_int_equal(url.user == NULL, good[i].user == NULL);
		if (url.user) {
			assert_string_equal(url.user, good[i].user);
			assert_string_equal(url.password, good[i].password);
		}
		proxy_url_done(&url);
		proxy_url_done(&url);
	}
}

static const char *const bad[] = {
	"",
	"http://",
	"ftp://proxy.corp",
	"socks4://proxy.corp",
	"http://proxy.corp:0",
	"http://proxy.corp:99999",
	"http://proxy.corp:sesame",
	"http://proxy.corp/sesame",
	"http://proxy.corp?sesame",
	"http://::1:3128",
	"http://sesame:%zz@proxy.corp",
	"http://ses%00ame:x@proxy.corp",
	"http://sesame%3A:x@proxy.corp",
	"http://:sesame@proxy.corp",
	"http://ada:sesame@",
	"http://ada:sesame@a b",
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct proxy_url url = { .port = 7 };
		struct err e = { 0 };

		if (proxy_url_parse(str_from(bad[i]), &url, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_null(strstr(e.text, "sesame"));
		assert_int_equal(url.port, 7);
	}
}

static const struct {
	const char *list;
	const char *host;
	uint16_t port;
	bool is_exempt;
} exceptions[] = {
	{ "", "a.example", 443, false },
	{ ",, ,", "a.example", 443, false },
	{ "*", "a.example", 443, true },
	{ "example", "a.example", 443, true },
	{ "a.example", "a.example", 443, true },
	{ "A.Example", "a.eXAMPLE", 443, true },
	{ "a.example.", "a.example", 443, true },
	{ "a.example", "a.example.", 443, true },
	{ "a.example", "ba.example", 443, false },
	{ "a.example", "b.a.example", 443, true },
	{ "b.a.example", "a.example", 443, false },
	{ ".example", "a.example", 443, true },
	{ ".a.example", "a.example", 443, false },
	{ "*.a.example", "b.a.example", 443, true },
	{ "*.a.example", "a.example", 443, false },
	{ "x, a.example ,y", "a.example", 443, true },
	{ "x a.example y", "a.example", 443, true },
	{ "a.example:443", "a.example", 443, true },
	{ "a.example:8443", "a.example", 443, false },
	{ "10.0.0.0/8", "10.1.2.3", 443, true },
	{ "10.0.0.0/8", "11.1.2.3", 443, false },
	{ "10.0.0.0/9", "10.200.2.3", 443, false },
	{ "10.0.0.0/33", "10.0.0.1", 443, false },
	{ "10.0.0.0/", "10.0.0.1", 443, false },
	{ "10.0.0.0/x", "10.0.0.1", 443, false },
	{ "0.0.0.0/0", "10.0.0.1", 443, true },
	{ "10.1.2.3", "10.1.2.3", 443, true },
	{ "10.1.2.3:22", "10.1.2.3", 443, false },
	{ "10.1.2.3:22", "10.1.2.3", 22, true },
	{ "2.3", "10.1.2.3", 443, false },
	{ "10.0.0.0/8", "10.example", 443, false },
	{ "2001:db8::/32", "2001:db8::5", 443, true },
	{ "2001:db8::/32", "2001:db9::5", 443, false },
	{ "::1", "::1", 443, true },
	{ "[::1]:443", "::1", 443, true },
	{ "[::1]:22", "::1", 443, false },
	{ "::/0", "10.0.0.1", 443, false },
	{ ".", "a.example", 443, false },
	{ "*.", "a.example", 443, false },
	{ "[", "a.example", 443, false },
	{ "]:", "a.example", 443, false },
};

static void test_exceptions(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++)
		if (proxy_is_exempt(str_from(exceptions[i].list), str_from(exceptions[i].host),
				    exceptions[i].port) != exceptions[i].is_exempt)
			fail_msg("\"%s\", %s:%u", exceptions[i].list, exceptions[i].host,
				 (unsigned)exceptions[i].port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_exceptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
