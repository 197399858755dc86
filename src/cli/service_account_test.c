/*
 * Where the token of a service account comes from.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/credentials.h"
#include "cli/service_account.h"

struct file_case {
	const char *contents;
	const char *token; /* NULL: refused */
};

static void test_file(void **state)
{
	static const struct file_case cases[] = {
		{ " \n tok.en\r\n", "tok.en" }, { "tok", "tok" }, { "", NULL },
		{ "two words", NULL },          { "a\nb", NULL },
	};
	char path[] = "/tmp/cli-account-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf token = BUF_INIT(TOKEN_MAX);
		struct err e;

		assert_int_equal(file_replace(path, str_from(cases[i].contents), 0600, &e), 0);
		assert_int_equal(service_account_read(NULL, path, &token, &e),
				 cases[i].token ? 0 : -1);
		assert_true(str_equal(buf_view(&token), str_from(cases[i].token)));
		buf_done(&token);
	}
	unlink(path);
}

static void test_flag(void **state)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	struct err e;

	assert_int_equal(service_account_read(NULL, NULL, &token, &e), 0);
	assert_int_equal(token.len, 0);
	assert_int_equal(service_account_read("bad secret", NULL, &token, &e), -1);
	assert_null(strstr(e.text, "secret"));
	assert_int_equal(service_account_read(NULL, "/nonexistent/file", &token, &e), -1);
	assert_int_equal(service_account_read("tok", "/nonexistent/file", &token, &e), 0);
	assert_true(str_equal(buf_view(&token), STR("tok")));
	buf_done(&token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
