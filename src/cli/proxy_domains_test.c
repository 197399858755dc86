#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/proxy_domains.h"

static void test_match(void **state)
{
	static const char *const domains[] = { "corp.example.com", ".Internal", NULL };
	static const struct {
		const char *host;
		bool matches;
	} rows[] = {
		{ "corp.example.com", true },
		{ "db.corp.example.com", true },
		{ "DB.CORP.example.com", true },
		{ "db.corp.example.com.", true },
		{ "a.internal", true },
		{ "internal", true },
		{ "evilcorp.example.com", false },
		{ "corp.example.com.evil.test", false },
		{ "example.com", false },
		{ "127.0.0.1", false },
		{ "", false },
		{ ".", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(proxy_domains_match(domains, str_from(rows[i].host)),
				 rows[i].matches);
}

static void test_check(void **state)
{
	static const char *const bads[] = { "", ".", "a b", "a\"b", "*.example.com", "a/b", "..a" };
	static const char *const good[] = { "a-b.example", ".example", NULL };
	struct err e;

	assert_int_equal(proxy_domains_check(good, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		const char *const domains[] = { bads[i], NULL };

		assert_int_equal(proxy_domains_check(domains, &e), -1);
	}
}

static void test_pac(void **state)
{
	static const char *const domains[] = { ".Corp.example.com", "b.test", NULL };
	struct buf text = BUF_INIT(PROXY_PAC_MAX);

	proxy_domains_write_pac(domains, STR("127.0.0.1:3128"), false, &text);
	assert_true(str_contains(buf_view(&text), STR("[\"corp.example.com\", \"b.test\"]")));
	assert_true(str_contains(buf_view(&text),
				 STR("\"SOCKS5 127.0.0.1:3128; PROXY 127.0.0.1:3128\"")));
	assert_true(str_ends_with(buf_view(&text), STR("\treturn \"DIRECT\";\n}\n")));
	text.len = 0;
	proxy_domains_write_pac(domains, STR("127.0.0.1:3128"), true, &text);
	assert_true(str_ends_with(
		buf_view(&text),
		STR("\treturn \"PROXY 127.0.0.1:3128; SOCKS5 127.0.0.1:3128\";\n}\n")));
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_pac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
