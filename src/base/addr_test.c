/*
 * addr_test.c - literals, formatting, listening addresses
 */

#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_from_ip(void **state)
{
	static const struct {
		const char *ip;
		const char *shown; /* with port 80; NULL: refused */
		int family;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1:80", AF_INET },
		{ "0.0.0.0", "0.0.0.0:80", AF_INET },
		{ "::1", "[::1]:80", AF_INET6 },
		{ "::", "[::]:80", AF_INET6 },
		{ "2001:DB8:0:0::1", "[2001:db8::1]:80", AF_INET6 },
		{ "::ffff:192.0.2.1", "192.0.2.1:80", AF_INET6 },
		{ "", NULL, 0 },
		{ "localhost", NULL, 0 },
		{ "127.0.0.1 ", NULL, 0 },
		{ " 127.0.0.1", NULL, 0 },
		{ "127.1", NULL, 0 },
		{ "127.0.0.01", NULL, 0 },
		{ "0x7f.0.0.1", NULL, 0 },
		{ "2130706433", NULL, 0 },
		{ "256.0.0.1", NULL, 0 },
		{ "1.2.3.4.5", NULL, 0 },
		{ "[::1]", NULL, 0 },
		{ "::1%lo", NULL, 0 },
		{ "1::2::3", NULL, 0 },
		{ "12345::", NULL, 0 },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a = { 0 };
		char text[ADDR_TEXT_MAX];
		bool is_ip = addr_from_ip(str_from(cases[i].ip), 80, &a);
		assert_int_equal(is_ip, cases[i].shown != NULL);
		if (!is_ip) {
			assert_int_equal(a.any.sa_family, AF_UNSPEC);
			continue;
		}
		assert_int_equal(a.any.sa_family, cases[i].family);
		addr_format(&a, text);
		assert_string_equal(text, cases[i].shown);
	}
	struct addr a;
	assert_false(addr_from_ip(STR("127.0.0.1\0"), 80, &a));
	assert_false(addr_from_ip(STR("127.0.0.1\0x"), 80, &a));
}

static void test_port_and_len(void **state)
{
	struct addr a = { 0 };
	char text[ADDR_TEXT_MAX];

	assert_int_equal(addr_len(&a), 0);
	assert_int_equal(addr_port(&a), 0);
	addr_format(&a, text);
	assert_string_equal(text, "");
	assert_true(addr_from_ip(STR("192.0.2.1"), 65535, &a));
	assert_int_equal(addr_len(&a), sizeof(struct sockaddr_in));
	assert_int_equal(addr_port(&a), 65535);
	addr_set_port(&a, 1);
	addr_format(&a, text);
	assert_string_equal(text, "192.0.2.1:1");
	addr_format_ip(&a, text);
	assert_string_equal(text, "192.0.2.1");
	assert_true(addr_from_ip(STR("::ffff:192.0.2.1"), 443, &a));
	assert_int_equal(addr_len(&a), sizeof(struct sockaddr_in6));
	assert_int_equal(addr_port(&a), 443);
	addr_format_ip(&a, text);
	assert_string_equal(text, "192.0.2.1");
}

static void test_the_longest_text_fits(void **state)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];

	assert_true(addr_from_ip(STR("1111:2222:3333:4444:5555:6666:7777:8888"), 65535, &a));
	addr_format(&a, text);
	assert_string_equal(text, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void test_parse_listen(void **state)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: refused */
	} cases[] = {
		{ "127.0.0.1:80", "127.0.0.1:80" },
		{ "[::1]:0", "[::1]:0" },
		{ ":443", "[::]:443" },
		{ "localhost:65535", "127.0.0.1:65535" },
		{ "LocalHost:1", "127.0.0.1:1" },
		{ "0.0.0.0:0", "0.0.0.0:0" },
		{ "", NULL },
		{ ":", NULL },
		{ "80", NULL },
		{ "127.0.0.1", NULL },
		{ "127.0.0.1:", NULL },
		{ "127.0.0.1:+80", NULL },
		{ "127.0.0.1:080", NULL },
		{ "127.0.0.1:00", NULL },
		{ "127.0.0.1:65536", NULL },
		{ "127.0.0.1:18446744073709551696", NULL },
		{ "127.0.0.1:80 ", NULL },
		{ "127.0.0.1:http", NULL },
		{ "::1:80", NULL },
		{ "::", NULL },
		{ "[::1]", NULL },
		{ "[::1]80", NULL },
		{ "[]:80", NULL },
		{ "[127.0.0.1]:80", NULL },
		{ "[::1:80", NULL },
		{ "example.com:80", NULL },
		{ "*:80", NULL },
		{ "tcp://127.0.0.1:80", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a = { 0 };
		struct err e = { 0 };
		char text[ADDR_TEXT_MAX];
		int rc = addr_parse_listen(str_from(cases[i].text), &a, &e);
		assert_int_equal(rc, cases[i].shown ? 0 : -1);
		addr_format(&a, text);
		assert_string_equal(text, cases[i].shown ? cases[i].shown : "");
		assert_int_equal(e.kind, cases[i].shown ? ERR_NONE : ERR_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_ip),
		cmocka_unit_test(test_port_and_len),
		cmocka_unit_test(test_the_longest_text_fits),
		cmocka_unit_test(test_parse_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
