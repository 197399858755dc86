/*
 * err_test.c - texts, kinds and cutting
 */

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void test_set_and_wrap(void **state)
{
	struct err e = { 0 };

	assert_int_equal(err_set(&e, ERR_CONFIG, "line %d: %s", 3, "bad"), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, "line 3: bad");
	assert_int_equal(err_wrap(&e, "%s", "config.yaml"), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, "config.yaml: line 3: bad");
}

static void test_null_is_ignored(void **state)
{
	assert_int_equal(err_set(NULL, ERR_CONFIG, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	assert_int_equal(err_errno(NULL, EIO, "x"), -1);
}

static void test_the_old_text_may_be_an_argument(void **state)
{
	struct err e = { 0 };

	err_set(&e, ERR_TLS, "inner");
	err_set(&e, e.kind, "outer (%s)", e.text);
	assert_string_equal(e.text, "outer (inner)");
	err_wrap(&e, "again %s", e.text);
	assert_string_equal(e.text, "again outer (inner): outer (inner)");
}

static void test_long_texts_are_cut(void **state)
{
	char wide[ERR_TEXT_MAX * 2];
	struct err e = { 0 };

	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	err_set(&e, ERR_SYSTEM, "%s", wide);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_wrap(&e, "context");
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(e.text, "context: www", 12);
	err_set(&e, ERR_SYSTEM, "inner");
	err_wrap(&e, "%s", wide);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_errno(&e, EIO, "%s", wide);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void test_errno(void **state)
{
	static const struct {
		int errnum;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ ECONNREFUSED, ERR_REFUSED, "dial: Connection refused" },
		{ ECONNRESET, ERR_RESET, "dial: Connection reset by peer" },
		{ EPIPE, ERR_RESET, "dial: Broken pipe" },
		{ ETIMEDOUT, ERR_TIMEOUT, "dial: Connection timed out" },
		{ EHOSTUNREACH, ERR_UNREACHABLE, "dial: No route to host" },
		{ ENETUNREACH, ERR_UNREACHABLE, "dial: Network is unreachable" },
		{ ENETDOWN, ERR_UNREACHABLE, "dial: Network is down" },
		{ EADDRNOTAVAIL, ERR_UNREACHABLE, "dial: Cannot assign requested address" },
		{ EMFILE, ERR_LIMIT, "dial: Too many open files" },
		{ ENFILE, ERR_LIMIT, "dial: Too many open files in system" },
		{ ENOENT, ERR_SYSTEM, "dial: No such file or directory" },
		{ 99999, ERR_SYSTEM, "dial: error 99999" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		assert_int_equal(err_errno(&e, cases[i].errnum, "%s", "dial"), -1);
		assert_int_equal(e.kind, cases[i].kind);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void test_kind_names_are_distinct(void **state)
{
	assert_string_equal(err_kind_name(ERR_TIMEOUT), "timeout");
	assert_string_equal(err_kind_name(ERR_DNS), "dns");
	for (int a = ERR_NONE; a <= ERR_CLOSED; a++) {
		for (int b = ERR_NONE; b < a; b++)
			assert_string_not_equal(err_kind_name(a), err_kind_name(b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_wrap),
		cmocka_unit_test(test_null_is_ignored),
		cmocka_unit_test(test_the_old_text_may_be_an_argument),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_kind_names_are_distinct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
