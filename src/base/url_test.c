/*
 * url_test.c - authorities and URLs, most of them hostile
 */

#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void test_authority(void **state)
{
	static const struct {
		const char *text;
		const char *host;
		uint16_t port;
		bool is_ip6_literal;
	} cases[] = {
		{ "example.com", "example.com", 0, false },
		{ "example.com:443", "example.com", 443, false },
		{ "EXAMPLE.com.:1", "EXAMPLE.com.", 1, false },
		{ "a-b_c.d~e:65535", "a-b_c.d~e", 65535, false },
		{ "127.0.0.1:80", "127.0.0.1", 80, false },
		{ "[::1]", "::1", 0, true },
		{ "[::1]:22", "::1", 22, true },
		{ "[::ffff:1.2.3.4]:22", "::ffff:1.2.3.4", 22, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct authority a = { 0 };
		struct err e = { 0 };
		assert_int_equal(authority_parse(str_from(cases[i].text), false, &a, &e), 0);
		assert_true(str_equal(a.text, str_from(cases[i].text)));
		assert_true(str_equal(a.host, str_from(cases[i].host)));
		assert_int_equal(a.port, cases[i].port);
		assert_int_equal(a.is_ip6_literal, cases[i].is_ip6_literal);
		int connect = authority_parse_connect(str_from(cases[i].text), &a, &e);
		assert_int_equal(connect, cases[i].port ? 0 : -1);
	}
}

static const struct str refused_authorities[] = {
	{ "", 0 },
	{ NULL, 0 },
	{ ":80", 3 },
	{ "host:", 5 },
	{ "host:0", 6 },
	{ "host:00", 7 },
	{ "host:65536", 10 },
	{ "host:99999", 10 },
	{ "host:18446744073709551617", 25 },
	{ "host:080", 8 },
	{ "host:+80", 8 },
	{ "host:-80", 8 },
	{ "host: 80", 8 },
	{ "host:80 ", 8 },
	{ "host:0x50", 9 },
	{ "host:http", 9 },
	{ "host:80:81", 10 },
	{ "host:80\0", 8 },
	{ "user@host:80", 12 },
	{ "user:secret@host:80", 19 },
	{ "@host", 5 },
	{ "host@", 5 },
	{ "::1", 3 },
	{ "::1:80", 6 },
	{ "fe80::1", 7 },
	{ "[::1", 4 },
	{ "::1]", 4 },
	{ "[]", 2 },
	{ "[]:80", 5 },
	{ "[", 1 },
	{ "]", 1 },
	{ "[::1]x", 6 },
	{ "[::1]80", 7 },
	{ "[::1]:", 6 },
	{ "[::1]:0", 7 },
	{ "[[::1]]:80", 10 },
	{ "[127.0.0.1]:80", 14 },
	{ "[host]:80", 9 },
	{ "[fe80::1%25eth0]:80", 19 },
	{ "[v1.x]:80", 9 },
	{ "[::1\0]:80", 9 },
	{ "ho st:80", 8 },
	{ " host:80", 8 },
	{ "host\t:80", 8 },
	{ "host\0:80", 8 },
	{ "host\0.evil.com:80", 17 },
	{ "host\n:80", 8 },
	{ "host\r\nX: y:80", 13 },
	{ "host\x7f:80", 8 },
	{ "h\xc3\xb6st:80", 8 },
	{ "h%6fst:80", 9 },
	{ "host/path", 9 },
	{ "host\\x", 6 },
	{ "host?q", 6 },
	{ "host#f", 6 },
	{ "*.host:80", 9 },
	{ "host,other:80", 13 },
	{ "host;x:80", 9 },
	{ "http://host:80", 14 },
	{ "<host>:80", 9 },
	{ "'host':80", 9 },
};

static void test_authority_refuses(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(refused_authorities); i++) {
		struct authority a = { .port = 7 };
		struct err e = { 0 };
		assert_int_equal(authority_parse(refused_authorities[i], false, &a, &e), -1);
		assert_int_equal(a.port, 7);
		assert_int_equal(e.kind, ERR_PROTOCOL);
		assert_true(str_is_printable_ascii(str_from(e.text)));
		assert_null(strstr(e.text, "secret"));
	}
}

static void test_wildcard(void **state)
{
	struct authority a;
	struct err e;

	assert_int_equal(authority_parse(STR("*.example.com:22"), true, &a, &e), 0);
	assert_true(str_equal(a.host, STR("*.example.com")));
	assert_int_equal(authority_parse(STR("*"), true, &a, &e), 0);
	assert_int_equal(authority_parse(STR("[*]:1"), true, &a, &e), -1);
	assert_int_equal(authority_parse(STR("host:*"), true, &a, &e), -1);
	assert_int_equal(authority_parse_connect(STR("*.example.com:22"), &a, &e), -1);
}

static void test_host_length(void **state)
{
	char host[HOST_NAME_MAX_LEN + 2];
	struct authority a;
	struct err e;

	memset(host, 'a', sizeof(host));
	assert_int_equal(authority_parse(str_of(host, HOST_NAME_MAX_LEN), false, &a, &e), 0);
	assert_int_equal(authority_parse(str_of(host, HOST_NAME_MAX_LEN + 1), false, &a, &e), -1);
	assert_null(strstr(e.text, "aaa"));
}

static void assert_part(struct str part, const char *expected)
{
	assert_true(str_equal(part, str_from(expected)));
}

static void test_url(void **state)
{
	static const struct {
		const char *text;
		const char *scheme;
		const char *authority;
		const char *path;
		const char *query; /* NULL: none */
		const char *fragment;
	} cases[] = {
		{ "https://h", "https", "h", "", NULL, "" },
		{ "HTTPS://h:8443/", "HTTPS", "h:8443", "/", NULL, "" },
		{ "https://h/a/b?x=1&y=/?#f/?", "https", "h", "/a/b", "x=1&y=/?", "f/?" },
		{ "https://h?", "https", "h", "", "", "" },
		{ "https://h#f?x", "https", "h", "", NULL, "f?x" },
		{ "https://h?a@b:c", "https", "h", "", "a@b:c", "" },
		{ "tcp+https://[::1]:443/%41", "tcp+https", "[::1]:443", "/%41", NULL, "" },
		{ "http://h/a:b@c//d", "http", "h", "/a:b@c//d", NULL, "" },
		{ "http://h/?a[]=|^`{}", "http", "h", "/", "a[]=|^`{}", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct url u = { 0 };
		struct err e = { 0 };
		assert_int_equal(url_parse(str_from(cases[i].text), &u, &e), 0);
		assert_part(u.scheme, cases[i].scheme);
		assert_part(u.authority.text, cases[i].authority);
		assert_part(u.path, cases[i].path);
		assert_part(u.query, cases[i].query);
		assert_part(u.fragment, cases[i].fragment);
		assert_int_equal(u.has_query, cases[i].query != NULL);
	}
}

static void test_url_refuses(void **state)
{
	static const struct str cases[] = {
		{ "", 0 },
		{ NULL, 0 },
		{ "h", 1 },
		{ "/path", 5 },
		{ "//h/path", 8 },
		{ "https:", 6 },
		{ "https:/h", 8 },
		{ "https:h", 7 },
		{ "https://", 8 },
		{ "https:///path", 13 },
		{ "https://?q", 10 },
		{ "://h", 4 },
		{ "1http://h", 9 },
		{ "ht_tp://h", 9 },
		{ "ht tp://h", 9 },
		{ " https://h", 10 },
		{ "https://h ", 10 },
		{ "https://h/a b", 13 },
		{ "https://h/\n", 11 },
		{ "https://h/\0", 11 },
		{ "https://h/\x7f", 11 },
		{ "https://h/\xc3\xa9", 12 },
		{ "https://h\\@evil/", 16 },
		{ "https://h/\\evil", 15 },
		{ "https:\\\\h", 9 },
		{ "https://user@h/", 15 },
		{ "https://user:pw@h/", 18 },
		{ "https://h:0/", 12 },
		{ "https://h:/", 11 },
		{ "https://h:080/", 14 },
		{ "https://::1/", 12 },
		{ "https://*.h/", 12 },
		{ "https://h%2eevil/", 17 },
		{ "https://h/%", 11 },
		{ "https://h/%4", 12 },
		{ "https://h/%zz", 13 },
		{ "https://h/?%", 12 },
		{ "https://h/#%", 12 },
		{ "https://h/#a#b", 14 },
		{ "https://h/<x>", 13 },
		{ "https://h/\"", 11 },
		{ "javascript:alert(1)", 19 },
		{ "javascript://%0aalert(1)", 24 },
		{ "data:text/html,x", 16 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct url u = { .has_query = true };
		struct err e = { 0 };
		assert_int_equal(url_parse(cases[i], &u, &e), -1);
		assert_true(u.has_query);
		assert_int_equal(e.kind, ERR_PROTOCOL);
		assert_true(str_is_printable_ascii(str_from(e.text)));
	}
}

static void test_url_length(void **state)
{
	struct buf text = BUF_INIT(URL_MAX + 1);
	struct url u;
	struct err e;

	buf_append_str(&text, STR("https://h/"));
	while (text.len < URL_MAX)
		buf_append_char(&text, 'a');
	assert_int_equal(url_parse(buf_view(&text), &u, &e), 0);
	buf_append_char(&text, 'a');
	assert_int_equal(url_parse(buf_view(&text), &u, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	buf_done(&text);
}

static void test_loopback(void **state)
{
	static const struct {
		const char *host;
		bool is_loopback;
	} cases[] = {
		{ "localhost", true },
		{ "LOCALHOST", true },
		{ "127.0.0.1", true },
		{ "127.255.255.254", true },
		{ "::1", true },
		{ "", false },
		{ "localhost.", false },
		{ "localhost.evil", false },
		{ "128.0.0.1", false },
		{ "126.255.255.255", false },
		{ "127.1", false },
		{ "::2", false },
		{ "::", false },
		{ "0.0.0.0", false },
		{ "127.0.0.1.evil.com", false },
		{ "[::1]", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(host_is_loopback(str_from(cases[i].host)), cases[i].is_loopback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authority),  cmocka_unit_test(test_authority_refuses),
		cmocka_unit_test(test_wildcard),   cmocka_unit_test(test_host_length),
		cmocka_unit_test(test_url),        cmocka_unit_test(test_url_refuses),
		cmocka_unit_test(test_url_length), cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
