/*
 * The ways to write a flag.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/options.h"

#define ALL                                                                                        \
	(OPTION_GROUP_TUNNEL | OPTION_GROUP_TLS | OPTION_GROUP_BROWSER |                           \
	 OPTION_GROUP_SERVICE_ACCOUNT)
#define WORDS_MAX 12

static int parse(unsigned groups, const char *const words[WORDS_MAX], struct options *ret,
		 struct err *e)
{
	char *argv[WORDS_MAX];
	int argc = 0;

	for (; argc < WORDS_MAX && words[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	return options_parse(groups, argc, argv, ret, e);
}

static void test_forms(void **state)
{
	static const char *const words[WORDS_MAX] = { "--listen",
						      "-",
						      "a:1",
						      "--ca-cert=Zm9v=",
						      "--disable-tls-verification",
						      "--client-cert=",
						      "--browser-cmd",
						      "--listen",
						      "--",
						      "-x" };
	struct options o;
	struct err e;

	assert_int_equal(parse(ALL, words, &o, &e), 0);
	assert_string_equal(o.listen, "-");
	assert_string_equal(o.ca_cert, "Zm9v=");
	assert_string_equal(o.client_cert, "");
	assert_string_equal(o.browser_cmd, "--listen"); /* a value is a value */
	assert_true(o.disable_tls_verification);
	assert_false(o.wants_help);
	assert_int_equal(o.argument_count, 2);
	assert_string_equal(o.arguments[0], "a:1");
	assert_string_equal(o.arguments[1], "-x");
	assert_null(o.client_key);
}

static void test_every_flag_has_its_place(void **state)
{
	static const char *const words[WORDS_MAX] = { "--pomerium-url=1",
						      "--alternate-ca-path=2",
						      "--ca-cert=3",
						      "--client-cert=4",
						      "--client-key=5",
						      "--browser-cmd=6",
						      "--service-account=7",
						      "--listen=8",
						      "--service-account-file=9",
						      "--disable-tls-verification=true" };
	struct options o;
	struct err e;

	assert_int_equal(parse(ALL, words, &o, &e), 0);
	assert_string_equal(o.pomerium_url, "1");
	assert_string_equal(o.alternate_ca_path, "2");
	assert_string_equal(o.ca_cert, "3");
	assert_string_equal(o.client_cert, "4");
	assert_string_equal(o.client_key, "5");
	assert_string_equal(o.browser_cmd, "6");
	assert_string_equal(o.service_account, "7");
	assert_string_equal(o.listen, "8");
	assert_string_equal(o.service_account_file, "9");
	assert_true(o.disable_tls_verification);
}

static void test_last_one_wins(void **state)
{
	static const char *const words[WORDS_MAX] = { "--listen=a", "--disable-tls-verification",
						      "--listen=b",
						      "--disable-tls-verification=false" };
	struct options o;
	struct err e;

	assert_int_equal(parse(ALL, words, &o, &e), 0);
	assert_string_equal(o.listen, "b");
	assert_false(o.disable_tls_verification);
}

static void test_help(void **state)
{
	static const char *const forms[][WORDS_MAX] = { { "-h" },
							{ "--help", "--bogus" },
							{ "a:1", "--listen", "x", "-h" } };
	struct options o;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		assert_int_equal(parse(i == 2 ? ALL : 0, forms[i], &o, &e), 0);
		assert_true(o.wants_help);
	}
}

struct bad {
	const char *words[WORDS_MAX];
	unsigned groups;
	const char *hint;
};

static void test_bad(void **state)
{
	static const struct bad bads[] = {
		{ { "--bogus" }, ALL, "unknown flag --bogus" },
		{ { "--bogus=secret" }, ALL, "unknown flag --bogus" },
		{ { "--list", "x" }, ALL, "unknown flag --list" },
		{ { "-listen", "x" }, ALL, "did you mean --listen" },
		{ { "-l" }, ALL, "unknown flag -l" },
		{ { "--listen" }, ALL, "--listen needs a value" },
		{ { "--listen", "x" }, OPTION_GROUP_TLS, "unknown flag --listen" },
		{ { "--disable-tls-verification=maybe" }, ALL, "true or false" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct options o;
		struct err e;

		assert_int_equal(parse(bads[i].groups, bads[i].words, &o, &e), -1);
		assert_non_null(strstr(e.text, bads[i].hint));
		assert_null(strstr(e.text, "secret"));
	}
}

static int parse_many(unsigned groups, const char *word, size_t count, struct options *ret,
		      struct err *e)
{
	char *words[OPTIONS_ARGUMENTS_MAX + 1];
	_cleanup_(mem_freep) char *copy = mem_copy_string(word);

	assert_true(count <= ARRAY_LEN(words));
	for (size_t i = 0; i < count; i++)
		words[i] = copy;
	return options_parse(groups, (int)count, words, ret, e);
}

static void test_too_many(void **state)
{
	struct options o;
	struct err e;

	assert_int_equal(parse_many(ALL, "x", OPTIONS_ARGUMENTS_MAX, &o, &e), 0);
	assert_int_equal(parse_many(ALL, "x", OPTIONS_ARGUMENTS_MAX + 1, &o, &e), -1);
	assert_non_null(strstr(e.text, "too many arguments"));
	assert_int_equal(
		parse_many(OPTION_GROUP_PROXY, "--proxy-domain=x", OPTIONS_LIST_MAX, &o, &e), 0);
	assert_null(o.proxy_domains[OPTIONS_LIST_MAX]);
	assert_int_equal(
		parse_many(OPTION_GROUP_PROXY, "--proxy-domain=x", OPTIONS_LIST_MAX + 1, &o, &e),
		-1);
	assert_non_null(strstr(e.text, "too many --proxy-domain"));
}

static void test_list(void **state)
{
	const char *words[WORDS_MAX] = { "--proxy-domain", "a.example",
					 "--proxy-domain=b.example" };
	struct options o;
	struct err e;

	assert_int_equal(parse(OPTION_GROUP_PROXY, words, &o, &e), 0);
	assert_string_equal(o.proxy_domains[0], "a.example");
	assert_string_equal(o.proxy_domains[1], "b.example");
	assert_null(o.proxy_domains[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_every_flag_has_its_place),
		cmocka_unit_test(test_last_one_wins),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
