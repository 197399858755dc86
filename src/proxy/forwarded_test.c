#include "proxy/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEADERS_MAX 4

static void test_hops(void **state)
{
	static const struct {
		const char *values[HEADERS_MAX];
		uint32_t hops;
		const char *ip; /* NULL: none */
	} rows[] = {
		{ { "192.0.2.1" }, 0, NULL },
		{ { "192.0.2.1" }, 1, "192.0.2.1" },
		{ { "192.0.2.1" }, 2, NULL },
		{ { "192.0.2.1" }, UINT32_MAX, NULL },
		{ { NULL }, 1, NULL },
		{ { "" }, 1, NULL },
		{ { "192.0.2.1, 192.0.2.2" }, 1, "192.0.2.2" },
		{ { "192.0.2.1, 192.0.2.2" }, 2, "192.0.2.1" },
		{ { "192.0.2.1,192.0.2.2 \t,  192.0.2.3" }, 2, "192.0.2.2" },
		{ { "192.0.2.1, 192.0.2.2", "192.0.2.3" }, 1, "192.0.2.3" },
		{ { "192.0.2.1, 192.0.2.2", "192.0.2.3" }, 2, "192.0.2.2" },
		{ { "192.0.2.1, 192.0.2.2", "192.0.2.3" }, 3, "192.0.2.1" },
		{ { "192.0.2.1, 192.0.2.2", "192.0.2.3" }, 4, NULL },
		{ { "2001:DB8::1" }, 1, "2001:db8::1" },
		{ { "::ffff:192.0.2.9" }, 1, "192.0.2.9" },
		/* Some proxies tell the port as well. */
		{ { "192.0.2.1:443" }, 1, "192.0.2.1" },
		{ { "[2001:db8::1]" }, 1, "2001:db8::1" },
		{ { "192.0.2.9, [2001:db8::1]:443" }, 1, "2001:db8::1" },
		/* What the client has written before does not matter, however strange it is. */
		{ { "junk,,,\"x\", 192.0.2.1" }, 1, "192.0.2.1" },
		/* What is believed must be an address and nothing else. */
		{ { "192.0.2.1:" }, 1, NULL },
		{ { "192.0.2.1:65536" }, 1, NULL },
		{ { ":443" }, 1, NULL },
		{ { "[192.0.2.1]" }, 1, NULL },
		{ { "[192.0.2.1]:443" }, 1, NULL },
		{ { "[2001:db8::1" }, 1, NULL },
		{ { "[2001:db8::1]443" }, 1, NULL },
		{ { "[]:443" }, 1, NULL },
		{ { "192.0.2.1 192.0.2.2" }, 1, NULL },
		{ { "unknown" }, 1, NULL },
		{ { "192.0.2.01" }, 1, NULL },
		{ { "192.0.2.1," }, 1, NULL },
		{ { "192.0.2.1, ,192.0.2.3" }, 2, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_header items[HEADERS_MAX + 1];
		struct http_headers headers = { items, 0 };
		char text[ADDR_TEXT_MAX] = "";
		struct addr ip;

		items[headers.count++] = (struct http_header){ STR("host"), STR("a.example") };
		for (size_t k = 0; k < HEADERS_MAX && rows[i].values[k]; k++)
			items[headers.count++] = (struct http_header){
				STR("X-Forwarded-FOR"), str_from(rows[i].values[k])
			};
		if (forwarded_client(&headers, rows[i].hops, &ip) != !!rows[i].ip)
			fail_msg("row %zu", i);
		if (!rows[i].ip)
			continue;
		addr_format_ip(&ip, text);
		assert_string_equal(text, rows[i].ip);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_hops) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
