#include "base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void test_matches_the_whole_text(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "a", "ba", false },
		{ "a|ab", "ab", true },
		{ "a|b", "xb", false },
		{ ".*\\.corp\\.example", "vpn.corp.example", true },
		{ ".*\\.corp\\.example", "vpn.corp.example.evil", false },
		{ ".*\\.corp\\.example", "vpnXcorpXexample", false },
		{ "(?i)ADA@Example\\.com", "ada@example.COM", true },
		{ "ADA", "ada", false },
		{ "^ada$", "ada", true },
		{ "^ada$", "ada\n", false },
		{ "a$\n", "a\n", false },
		{ "a.c", "a\nc", false },
		{ "(?s)a.c", "a\nc", true },
		{ "(?s:a.)c", "a\nc", true },
		{ "a.c",
		  "a\xc3\xa4"
		  "c",
		  true },
		{ "a.c",
		  "a\xe4"
		  "c",
		  false },
		{ ".*", "a\xff", false },
		{ "\\d+", "123", true },
		{ "\\d+", "\xd9\xa3", false },
		{ "\\pL+", "\xc3\xa4z", true },
		{ "(?P<user>[a-z]+)@(?<host>[a-z]+)", "ada@host", true },
		{ "(?:ab)+", "abab", true },
		{ "[]a]+", "]a]", true },
		{ "[^]a]+", "bc", true },
		{ "[(?=]+", "(?=", true },
		{ "\\Q(?=.*\\1\\E", "(?=.*\\1", true },
		{ "\\Qopen", "open", true },
		{ "[\\1]", "\x01", true },
		{ "\\(\\?=", "(?=", true },
		{ "x{2,3}", "xxx", true },
		{ "x{2,3}", "xxxx", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(pattern_freep) struct pattern *pattern = NULL;
		struct err e = { 0 };

		if (pattern_new(str_from(cases[i].pattern), &pattern, &e) < 0)
			fail_msg("%s: %s", cases[i].pattern, e.text);
		if (pattern_matches(pattern, str_from(cases[i].text)) != cases[i].matches)
			fail_msg("\"%s\" on \"%s\"", cases[i].pattern, cases[i].text);
	}
}

static void test_says_what_is_wrong_and_where(void **state)
{
	static const struct {
		const char *pattern;
		const char *error;
	} cases[] = {
		{ "ab(", "at character 4: missing closing parenthesis" },
		{ "*a", "at character 1: quantifier does not follow a repeatable item" },
		{ "[a", "at character 3: missing terminating ] for character class" },
		{ "a\\", "at character 3: \\ at end of pattern" },
		{ "(a)\\1", "at character 4: back-references are not supported" },
		{ "(a)\\g{1}", "at character 4: back-references are not supported" },
		{ "(?P<n>a)(?P=n)", "at character 9: back-references are not supported" },
		{ "(?<n>a)\\k<n>", "at character 8: back-references are not supported" },
		{ "a(?=b)", "at character 2: lookaround is not supported" },
		{ "a(?!b)", "at character 2: lookaround is not supported" },
		{ "(?<=a)b", "at character 1: lookaround is not supported" },
		{ "(?<!a)b", "at character 1: lookaround is not supported" },
		{ "(?>a+)b", "at character 1: this kind of group is not supported" },
		{ "(?R)", "at character 1: this kind of group is not supported" },
		{ "(?1)", "at character 1: this kind of group is not supported" },
		{ "(?C)a", "at character 1: this kind of group is not supported" },
		{ "(?#a)b", "at character 1: this kind of group is not supported" },
		{ "(?(1)a|b)", "at character 1: this kind of group is not supported" },
		{ "(*LIMIT_MATCH=9)a", "at character 1: verbs are not supported" },
		{ "(*NO_START_OPT)a", "at character 1: verbs are not supported" },
		{ "\\C", "at character 1: this escape is not supported" },
		{ "a\\Kb", "at character 2: this escape is not supported" },
		{ "[]](?=b)", "at character 4: lookaround is not supported" },
		{ "\\Qa\\E(?=b)", "at character 6: lookaround is not supported" },
		{ "a\xff", "at character 2: UTF-8 error: illegal byte (0xfe or 0xff)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pattern *pattern = NULL;
		struct err e = { 0 };

		assert_int_equal(pattern_new(str_from(cases[i].pattern), &pattern, &e), -1);
		assert_null(pattern);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_string_equal(e.text, cases[i].error);
	}
}

static void test_is_bounded(void **state)
{
	static const char nested[] = "((((a{900}){900}){900}){900})";
	_cleanup_(mem_freep) char *text = mem_alloc(PATTERN_LEN_MAX + 1);
	struct pattern *pattern = NULL;
	struct err e = { 0 };

	memset(text, 'a', PATTERN_LEN_MAX + 1);
	assert_int_equal(pattern_new(str_of(text, PATTERN_LEN_MAX + 1), &pattern, &e), -1);
	assert_string_equal(e.text, "a pattern of more than 4096 bytes");
	assert_int_equal(pattern_new(str_of(text, PATTERN_LEN_MAX), &pattern, &e), 0);
	pattern_free(TAKE(pattern));

	memset(text, '(', PATTERN_LEN_MAX / 2);
	memset(text + PATTERN_LEN_MAX / 2, ')', PATTERN_LEN_MAX / 2);
	assert_int_equal(pattern_new(str_of(text, PATTERN_LEN_MAX), &pattern, &e), -1);
	assert_int_equal(pattern_new(STR(nested), &pattern, &e), -1);
	assert_null(pattern);
}

/* Each would take longer than the universe is old. */
static void test_gives_up_where_matching_explodes(void **state)
{
	static const char *const patterns[] = { "(a+)+b", "(a|aa)+b", "(a*)*b", "(.*,){30}x" };
	_cleanup_(mem_freep) char *text = mem_alloc(2000);

	memset(text, 'a', 2000);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		_cleanup_(pattern_freep) struct pattern *pattern = NULL;

		assert_int_equal(pattern_new(str_from(patterns[i]), &pattern, NULL), 0);
		if (str_contains(str_from(patterns[i]), STR(",")))
			memset(text, ',', 2000);
		assert_false(pattern_matches(pattern, str_of(text, 2000)));
	}
}

/* It would match, after a million steps; the smaller one does after some thousand. */
static void test_too_many_steps_are_no_match(void **state)
{
	static const char small[] = "aaaaaaaaaa";
	static const char large[] = "aaaaaaaaaaaaaaaaaaaa";
	_cleanup_(pattern_freep) struct pattern *few = NULL;
	_cleanup_(pattern_freep) struct pattern *many = NULL;

	assert_int_equal(pattern_new(STR("(?:a?){10}a{10}"), &few, NULL), 0);
	assert_int_equal(pattern_new(STR("(?:a?){20}a{20}"), &many, NULL), 0);
	assert_true(pattern_matches(few, STR(small)));
	assert_false(pattern_matches(many, STR(large)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches_the_whole_text),
		cmocka_unit_test(test_says_what_is_wrong_and_where),
		cmocka_unit_test(test_is_bounded),
		cmocka_unit_test(test_gives_up_where_matching_explodes),
		cmocka_unit_test(test_too_many_steps_are_no_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
