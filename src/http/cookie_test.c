#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/cookie.h"

#define AT_UNIX 1767225600 /* 2026-01-01T00:00:00Z */

struct get_case {
	const char *cookie;
	const char *second; /* another Cookie header, or NULL */
	const char *value;  /* of "_pomerium"; NULL: not there */
};

static const struct get_case get_cases[] = {
	{ "_pomerium=abc", NULL, "abc" },
	{ "a=1; _pomerium=abc; b=2", NULL, "abc" },
	{ "a=1;_pomerium=abc", NULL, "abc" },
	{ "a=1", "_pomerium=abc", "abc" },
	{ "_pomerium=first; _pomerium=second", "_pomerium=third", "first" },
	{ "_pomerium=a=b==", NULL, "a=b==" },
	{ "_pomerium=\"abc\"", NULL, "abc" },
	{ "_pomerium=\"", NULL, "\"" },
	{ "_pomerium=", NULL, "" },
	{ "  _pomerium=abc  ", NULL, "abc" },
	{ "_pomerium", NULL, NULL },
	{ "_pomerium_csrf=abc", NULL, NULL },
	{ "x_pomerium=abc", NULL, NULL },
	{ "_Pomerium=abc", NULL, NULL },
	{ "a=_pomerium=abc", NULL, NULL },
	{ "", NULL, NULL },
	{ ";;=;", NULL, NULL },
};

static void test_get(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(get_cases); i++) {
		const struct get_case *c = &get_cases[i];
		const struct http_header items[] = {
			{ STR("X-Other"), STR("_pomerium=no") },
			{ STR("cOOkie"), str_from(c->cookie) },
			{ STR("Cookie"), str_from(c->second) },
		};
		struct http_headers headers = { items, c->second ? 3 : 2 };
		struct str value = { 0 };
		bool found = cookie_get(&headers, STR("_pomerium"), &value);

		if (found != (c->value != NULL) || !str_equal(value, str_from(c->value)))
			fail_msg("%s: %d \"%.*s\"", c->cookie, found, STR_FMT(value));
	}
}

static void check_format(const struct set_cookie *cookie, const char *expected)
{
	struct buf out = BUF_INIT(1024);

	assert_int_equal(set_cookie_format(cookie, &out), 0);
	if (!str_equal(buf_view(&out), str_from(expected)))
		fail_msg("%.*s", STR_FMT(buf_view(&out)));
	buf_done(&out);
}

static void test_format(void **state)
{
	const struct set_cookie all = {
		.name = STR("_pomerium"),
		.value = STR("abc.def"),
		.path = STR("/"),
		.domain = STR("example.com"),
		.same_site = STR("Lax"),
		.expires_unix = AT_UNIX,
		.http_only = true,
	};
	const struct set_cookie few = { .name = STR("n"), .value = STR("v"), .path = STR("/") };

	check_format(&all, "_pomerium=abc.def; Path=/; Domain=example.com; "
			   "Expires=Thu, 01 Jan 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax");
	check_format(&few, "n=v; Path=/; Secure");
}

static void test_format_clear(void **state)
{
	const struct set_cookie cookie = {
		.name = STR("_pomerium"),
		.value = STR("old"),
		.path = STR("/"),
		.http_only = true,
	};
	struct buf out = BUF_INIT(1024);

	assert_int_equal(set_cookie_format_clear(&cookie, AT_UNIX, &out), 0);
	assert_true(str_equal(buf_view(&out),
			      STR("_pomerium=; Path=/; Expires=Wed, 31 Dec 2025 23:00:00 GMT; "
				  "Max-Age=0; HttpOnly; Secure")));
	buf_done(&out);
}

static void test_format_refuses(void **state)
{
	const struct set_cookie bad[] = {
		{ .name = STR(""), .value = STR("v") },
		{ .name = STR("a b"), .value = STR("v") },
		{ .name = STR("a=b"), .value = STR("v") },
		{ .name = STR("n"), .value = STR("v;w") },
		{ .name = STR("n"), .value = STR("v w") },
		{ .name = STR("n"), .value = STR("v\r\nX: y") },
		{ .name = STR("n"), .value = STR("v"), .path = STR("/;Domain=x") },
		{ .name = STR("n"), .value = STR("v"), .domain = STR("a\nb") },
		{ .name = STR("n"), .value = STR("v"), .same_site = STR("Lax;") },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf out = BUF_INIT(1024);

		assert_int_equal(set_cookie_format(&bad[i], &out), -1);
		assert_int_equal(out.len, 0);
		buf_done(&out);
	}
}

static void test_format_overflow_leaves_no_half(void **state)
{
	const struct set_cookie cookie = { .name = STR("name"), .value = STR("value") };
	struct buf out = BUF_INIT(12);

	assert_int_equal(set_cookie_format(&cookie, &out), -1);
	assert_int_equal(out.len, 0);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_clear),
		cmocka_unit_test(test_format_refuses),
		cmocka_unit_test(test_format_overflow_leaves_no_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
