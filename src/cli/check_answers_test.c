/*
 * What answers of a gateway, and of others, mean for `check`.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/check_answers.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/tunnel.h"
#include "http/client.h"

static const struct {
	int status;
	const char *body;
	bool is_gateway;
} documents[] = {
	{ 200, "{\"authentication_callback_endpoint\":\"https://a/oauth2/callback\"}\n", true },
	{ 404, "{\"authentication_callback_endpoint\":\"https://a/oauth2/callback\"}\n", false },
	{ 200, "{\"authentication_callback_endpoint\":7}", false },
	{ 200, "{}", false },
	{ 200, "[]", false },
	{ 200, "", false },
	{ 200, "<html>It works!</html>", false },
};

static void test_documents(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		const struct http_client_response response = {
			.status = documents[i].status, .body = str_from(documents[i].body)
		};
		struct err e = { 0 };
		int rc = check_read_gateway(&response, "gw.example:443", &e);

		if ((rc == 0) != documents[i].is_gateway)
			fail_msg("%s", documents[i].body);
		if (rc < 0)
			assert_non_null(strstr(e.text, "gw.example:443 is no gateway"));
	}
}

static const struct {
	enum tunnel_outcome outcome;
	enum check_step last;
	enum exit_status status;
} outcomes[] = {
	{ TUNNEL_OPEN, CHECK_UPSTREAM, EXIT_STATUS_OK },
	{ TUNNEL_NO_ROUTE, CHECK_ROUTE, EXIT_STATUS_NO_ROUTE },
	{ TUNNEL_UNAUTHENTICATED, CHECK_LOGIN, EXIT_STATUS_NOT_LOGGED_IN },
	{ TUNNEL_UNAUTHORIZED, CHECK_POLICY, EXIT_STATUS_DENIED },
	{ TUNNEL_UNAVAILABLE, CHECK_UPSTREAM, EXIT_STATUS_UNREACHABLE },
	{ TUNNEL_UNREACHABLE, CHECK_ROUTE, EXIT_STATUS_UNREACHABLE },
	{ TUNNEL_REFUSED, CHECK_ROUTE, EXIT_STATUS_OTHER },
};

static void test_outcomes(void **state)
{
	struct destination destination = { 0 };
	const struct gateway gateway = { .destination = &destination };
	struct err e;

	assert_int_equal(destination_parse(STR("db:1"), "https://gw.example", &destination, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		struct tunnel_result result = { .outcome = outcomes[i].outcome };
		struct check_report report = { 0 };
		const struct check_line *last;

		(void)err_set(&result.error, ERR_PROTOCOL, "because");
		check_report_tunnel(&report, &gateway, &result, STR("ada@example.com"));
		last = &report.lines[report.count - 1];
		assert_int_equal(last->step, outcomes[i].last);
		assert_int_equal(report.status, outcomes[i].status);
		assert_int_equal(last->is_good, outcomes[i].outcome == TUNNEL_OPEN);
		if (!last->is_good)
			assert_int_equal(strncmp(last->text, "because", 7), 0);
	}
	destination_done(&destination);
}

static void test_who_is_shown_if_printable(void **state)
{
	static const struct str names[] = { STR("ada@example.com"), STR("a\x1b[2Jb"), STR("") };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct destination destination = { .target = (char[]){ "db:1" },
						   .gateway_name = (char[]){ "gw:443" } };
		const struct gateway gateway = { .destination = &destination };
		const struct tunnel_result result = { .outcome = TUNNEL_OPEN };
		struct check_report report = { 0 };

		check_report_tunnel(&report, &gateway, &result, names[i]);
		assert_string_equal(report.lines[1].text, i == 0 ? "logged in as ada@example.com"
								 : "not needed, or accepted");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_who_is_shown_if_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
