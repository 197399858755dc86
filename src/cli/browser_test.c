/*
 * Which browser, and that its failure is told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/browser.h"
#include "io/loop.h"

struct choice_case {
	struct browser_choice choice;
	const char *expected;
};

static void test_choose(void **state)
{
	static const struct choice_case cases[] = {
		{ { .flag = "mine", .environment = "none" }, "mine" },
		{ { .flag = "a program --with blanks" }, "a program --with blanks" },
		{ { .environment = "none", .display = ":0" }, NULL },
		{ { .environment = "w3m:lynx", .display = ":0" }, "w3m" },
		{ { .display = ":0" }, "xdg-open" },
		{ { .wayland_display = "wayland-0" }, "xdg-open" },
		{ { .flag = "", .environment = "", .display = "" }, NULL },
		{ { 0 }, NULL },
		{ { .is_unwanted = true, .flag = "mine", .display = ":0" }, NULL },
		{ { .ssh = "192.0.2.1 1 192.0.2.2 22", .display = "localhost:10.0" }, NULL },
		{ { .ssh = "192.0.2.1 1 192.0.2.2 22", .environment = "w3m" }, "w3m" },
		{ { .ssh = "", .display = ":0" }, "xdg-open" },
		{ { .wsl = "Debian", .path = "/nonexistent::", .display = ":0" }, "xdg-open" },
		{ { .wsl = "Debian", .path = "/nonexistent" }, NULL },
		{ { .wsl = "Debian" }, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *program = browser_choose(&cases[i].choice);

		if (cases[i].expected)
			assert_string_equal(program, cases[i].expected);
		else
			assert_null(program);
		mem_free(program);
	}
}

static void on_problem(void *arg, const struct err *e)
{
	*(struct err *)arg = *e;
}

static void check_problem(const char *program, const char *expected)
{
	struct loop *loop = loop_new();
	struct err problem = { 0 };
	struct browser *b = browser_start(loop, program, "http://a/", on_problem, &problem);

	assert_int_equal(problem.kind, ERR_NONE); /* never from inside the call */
	while (problem.kind == ERR_NONE)
		loop_turn(loop, true);
	assert_non_null(strstr(problem.text, expected));
	browser_stop(b);
	loop_free(loop);
}

static void test_does_not_start(void **state)
{
	check_problem("/nonexistent/browser", "cannot start /nonexistent/browser");
}

static void test_ends_with_an_error(void **state)
{
	check_problem("false", "false ended with status 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_does_not_start),
		cmocka_unit_test(test_ends_with_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
