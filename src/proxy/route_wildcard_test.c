#include "proxy/route_wildcard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_matches(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool matches;
	} rows[] = {
		{ "*", "", true },
		{ "*", "a.b.c", true },
		{ "", "", true },
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "*.example.com", "a.example.com", true },
		{ "*.example.com", "a.b.example.com", true },
		{ "*.example.com", ".example.com", true },
		{ "*.example.com", "example.com", false },
		{ "*.example.com", "aexample.com", false },
		{ "*.example.com", "a.example.com.", false },
		{ "*.example.com", "a.example.com.evil.org", false },
		{ "*.example.com", "a.example-com", false },
		{ "db*", "db", true },
		{ "db*", "db1.example.com", true },
		{ "db*", "adb", false },
		{ "a*a", "a", false },
		{ "a*a", "aa", true },
		{ "a*a", "aba", true },
		{ "a*a", "ab", false },
		{ "ab*bc", "abc", false },
		{ "ab*bc", "abbc", true },
		{ "*a*", "", false },
		{ "*a*", "xax", true },
		{ "*a*b*", "ba", false },
		{ "*a*b*", "ab", true },
		{ "**", "", true },
		{ "***x***", "x", true },
		{ "a*b*c", "abc", true },
		{ "a*b*c", "axbxc", true },
		{ "a*b*c", "acb", false },
		{ "a*bc*c", "abc", false },
		{ "*ab*ab*", "abab", true },
		{ "*ab*ab*", "aba", false },
		{ "*aab", "aaab", true },
		{ "*-*.example.com", "a-b.example.com", true },
		{ "*-*.example.com", "ab.example.com", false },
		{ "[*].example.com", "[a].example.com", true },
		{ "?.example.com", "a.example.com", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (wildcard_matches(str_from(rows[i].pattern), str_from(rows[i].text)) !=
		    rows[i].matches)
			fail_msg("%s %s", rows[i].pattern, rows[i].text);
}

/* What makes a backtracking matcher take for ever: it would not end within the life of the test. */
static void test_takes_no_time(void **state)
{
	char text[HOST_NAME_MAX_LEN];
	char pattern[HOST_NAME_MAX_LEN];

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof(pattern) - 1] = 'b';
	for (int i = 0; i < 1000; i++)
		assert_false(wildcard_matches(str_of(pattern, sizeof(pattern)),
					      str_of(text, sizeof(text))));
	pattern[sizeof(pattern) - 1] = '*';
	for (int i = 0; i < 1000; i++)
		assert_true(wildcard_matches(str_of(pattern, sizeof(pattern)),
					     str_of(text, sizeof(text))));
}

static void test_init(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		uint16_t port;
		bool is_owned;
	} rows[] = {
		{ "*.Example.COM:22", "*.example.com", 22, true },
		{ "*.example.com", "*.example.com", 0, true },
		{ "*-db.example.com:1", "*-db.example.com", 1, true },
		{ "a*.b*.example.com:1", "a*.b*.example.com", 1, true },
		{ "*.internal:22", "*.internal", 22, false },
		{ "*ample.com:22", "*ample.com", 22, false },
		{ "*.com:22", "*.com", 22, false },
		{ "*.com.:22", "*.com.", 22, false },
		{ "*..com:22", "*..com", 22, false },
		{ "*:22", "*", 22, false },
		{ "example.*:22", "example.*", 22, false },
		{ "a.example.com.*:22", "a.example.com.*", 22, false },
		{ "*.example.com:0", NULL, 0, false },
		{ "", NULL, 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route_wildcard w = { 0 };

		if (route_wildcard_init(&w, str_from(rows[i].text), NULL) != !!rows[i].host)
			fail_msg("%s", rows[i].text);
		if (!rows[i].host)
			continue;
		assert_string_equal(w.host, rows[i].host);
		assert_int_equal(w.port, rows[i].port);
		if (w.is_owned != rows[i].is_owned)
			fail_msg("%s", rows[i].text);
		route_wildcard_done(&w);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_takes_no_time),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
