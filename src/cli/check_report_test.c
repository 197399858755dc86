/*
 * The report of `check` as text and as JSON.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/check_report.h"

static void fill(struct check_report *report)
{
	struct err e;

	*report = (struct check_report){ 0 };
	check_report_good(report, CHECK_PROXY, "none");
	check_report_good(report, CHECK_NAME, "%s is %s", "gw.example", "192.0.2.1");
	(void)err_set(&e, ERR_REFUSED, "gw.example said \"no\"");
	check_report_bad(report, CHECK_ADDRESS, EXIT_STATUS_UNREACHABLE, &e);
}

static void expect(struct buf *out, const char *text)
{
	char *got = buf_take_string(out);

	assert_string_equal(got, text);
	mem_free(got);
}

static void test_text(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct check_report report;

	fill(&report);
	check_report_text(&report, &out);
	expect(&out, "ok      proxy     none\n"
		     "ok      name      gw.example is 192.0.2.1\n"
		     "FAILED  address   gw.example said \"no\"\n");
	assert_int_equal(report.status, EXIT_STATUS_UNREACHABLE);
}

static void test_json(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct check_report report;

	fill(&report);
	check_report_json(&report, "db:1", "https://gw.example:443", &out);
	expect(&out,
	       "{\"destination\":\"db:1\",\"gateway\":\"https://gw.example:443\",\"ok\":false,"
	       "\"failed\":\"address\",\"steps\":["
	       "{\"step\":\"proxy\",\"ok\":true,\"text\":\"none\"},"
	       "{\"step\":\"name\",\"ok\":true,\"text\":\"gw.example is 192.0.2.1\"},"
	       "{\"step\":\"address\",\"ok\":false,\"text\":\"gw.example said \\\"no\\\"\"}]}\n");
}

static void test_all_good(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct check_report report = { 0 };

	for (int step = 0; step < CHECK_STEPS; step++)
		check_report_good(&report, (enum check_step)step, "fine");
	check_report_json(&report, "db:1", "https://gw", &out);
	assert_int_equal(report.status, EXIT_STATUS_OK);
	assert_true(str_contains(buf_view(&out), STR("\"ok\":true,\"failed\":\"\",")));
	assert_true(str_contains(buf_view(&out), STR("\"step\":\"upstream\"")));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_all_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
