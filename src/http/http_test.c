#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http.h"

static const struct str offered[] = { STR("text/html"), STR("application/json"),
				      STR("text/plain") };

struct accept_case {
	const char *accept;
	int choice;
};

static const struct accept_case accept_cases[] = {
	{ "*/*", 0 },
	{ "text/html", 0 },
	{ "application/json", 1 },
	{ "Application/JSON", 1 },
	{ "text/*", 0 },
	{ "application/*", 1 },
	{ "text/plain, text/html;q=0.9", 2 },
	{ "text/plain;q=0.5, text/html;q=0.9", 0 },
	/* the specific one wins among equals, whatever the order */
	{ "*/*, application/json", 1 },
	{ "text/*, text/plain", 2 },
	{ "*/*, application/*", 1 },
	{ "text/html, application/json;v=1", 1 },
	/* equal in both: the order of the header */
	{ "application/json, text/html", 1 },
	{ "text/html, application/json", 0 },
	/* q counts before specificity */
	{ "application/json;q=0.8, */*", 0 },
	{ "image/png, application/json;q=0.1", 1 },
	/* a browser, and a program */
	{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0 },
	{ "application/json, text/plain, */*", 1 },
	{ "text/html;q=0, application/json;q=0.001", 1 },
	{ "text/html;q=0", -1 },
	{ "image/png", -1 },
	{ "application/json ; charset=\"a,b\\\"\" ; q=1.000", 1 },
	{ ", ,application/json,,", 1 },
	{ "", -1 },
	{ "   ", -1 },
	/* broken */
	{ "*", -1 },
	{ "text", -1 },
	{ "text/", -1 },
	{ "/html", -1 },
	{ "*/html", -1 },
	{ "text/html text/plain", -1 },
	{ "text/html;q=2", -1 },
	{ "text/html;q=1.001", -1 },
	{ "text/html;q=0.1234", -1 },
	{ "text/html;q=.5", -1 },
	{ "text/html;q=", -1 },
	{ "text/html;q=\"1\"", -1 },
	{ "text/html;q", -1 },
	{ "text/html;a=\"b", -1 },
	{ "text/html, ;q=1", -1 },
};

static void test_accept_prefers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(accept_cases); i++) {
		int choice = http_accept_prefers(str_from(accept_cases[i].accept), offered,
						 ARRAY_LEN(offered));

		if (choice != accept_cases[i].choice)
			fail_msg("%s: %d", accept_cases[i].accept, choice);
	}
}

static void test_status_text(void **state)
{
	assert_string_equal(http_status_text(200), "OK");
	assert_string_equal(http_status_text(404), "Not Found");
	assert_string_equal(http_status_text(299), "");
	assert_true(http_status_text(450)[0] != '\0');
	assert_true(http_status_text(495)[0] != '\0');
}

static void test_has_token(void **state)
{
	const struct http_header items[] = {
		{ STR("Connection"), STR("keep-alive,\tUpgrade ") },
		{ STR("Other"), STR("close") },
		{ STR("connection"), STR("x") },
	};
	const struct http_headers headers = { items, ARRAY_LEN(items) };
	const struct http_headers none = { 0 };

	assert_true(http_headers_has_token(&headers, STR("connection"), STR("upgrade")));
	assert_true(http_headers_has_token(&headers, STR("connection"), STR("keep-alive")));
	assert_true(http_headers_has_token(&headers, STR("connection"), STR("x")));
	assert_false(http_headers_has_token(&headers, STR("connection"), STR("close")));
	assert_false(http_headers_has_token(&headers, STR("connection"), STR("keep")));
	assert_false(http_headers_has_token(&none, STR("connection"), STR("close")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept_prefers),
		cmocka_unit_test(test_status_text),
		cmocka_unit_test(test_has_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
