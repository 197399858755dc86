/*
 * Which line is the address that is waited for.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/pasted_login.h"

#define OURS "http://127.0.0.1:40001/0123456789abcdef"

static const struct {
	const char *line;
	const char *token; /* NULL: refused */
} cases[] = {
	{ OURS "?pomerium_jwt=a.b-c_d", "a.b-c_d" },
	{ "  " OURS "?pomerium_jwt=a.b \r\n", "a.b" },
	{ OURS "?x=y&pomerium_jwt=a%2Eb&z=", "a.b" },
	{ OURS "?pomerium_jwt=a#fragment", "a" },
	{ "HTTP://127.0.0.1:40001/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "", NULL },
	{ "a.b.c", NULL },
	{ OURS, NULL },
	{ OURS "?", NULL },
	{ OURS "?pomerium_jwt=", NULL },
	{ OURS "?pomerium_jwt=a+b", NULL },
	{ OURS "?pomerium_jwt=a%0ab", NULL },
	{ OURS "?pomerium_jwt=%zz", NULL },
	{ OURS "?Pomerium_jwt=a", NULL },
	{ OURS "0?pomerium_jwt=a", NULL },
	{ OURS "/?pomerium_jwt=a", NULL },
	{ "http://127.0.0.1:40001/?pomerium_jwt=a", NULL },
	{ "http://127.0.0.1:40001/0123456789abcdee?pomerium_jwt=a", NULL },
	{ "http://127.0.0.1:40002/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "http://127.0.0.1/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "http://localhost:40001/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "http://evil.example:40001/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "http://127.0.0.1:40001@evil.example/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "http://u:p@127.0.0.1:40001/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "https://127.0.0.1:40001/0123456789abcdef?pomerium_jwt=a", NULL },
	{ "//127.0.0.1:40001/0123456789abcdef?pomerium_jwt=a", NULL },
	{ OURS "?pomerium_jwt=a\x1b[2J", NULL },
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct str token = { 0 };
		struct err e = { 0 };
		int rc = pasted_login_read(str_from(cases[i].line), STR(OURS), &arena, &token, &e);

		if ((rc == 0) != (cases[i].token != NULL))
			fail_msg("%s", cases[i].line);
		if (rc == 0)
			assert_true(str_equal(token, str_from(cases[i].token)));
		else
			assert_true(e.text[0] && !strstr(e.text, "pomerium_jwt"));
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
