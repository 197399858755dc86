/*
 * What an answer to CONNECT means, and what the person reads.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/tunnel.h"

struct status_case {
	int status;
	enum tunnel_outcome outcome;
	enum exit_status exit_status;
};

static void test_statuses(void **state)
{
	static const struct status_case cases[] = {
		{ 200, TUNNEL_OPEN, EXIT_STATUS_OK },
		{ 201, TUNNEL_REFUSED, EXIT_STATUS_OTHER },
		{ 100, TUNNEL_REFUSED, EXIT_STATUS_OTHER },
		{ 301, TUNNEL_UNAUTHENTICATED, EXIT_STATUS_NOT_LOGGED_IN },
		{ 302, TUNNEL_UNAUTHENTICATED, EXIT_STATUS_NOT_LOGGED_IN },
		{ 303, TUNNEL_REFUSED, EXIT_STATUS_OTHER },
		{ 307, TUNNEL_UNAUTHENTICATED, EXIT_STATUS_NOT_LOGGED_IN },
		{ 308, TUNNEL_UNAUTHENTICATED, EXIT_STATUS_NOT_LOGGED_IN },
		{ 400, TUNNEL_REFUSED, EXIT_STATUS_OTHER },
		{ 401, TUNNEL_UNAUTHENTICATED, EXIT_STATUS_NOT_LOGGED_IN },
		{ 403, TUNNEL_UNAUTHORIZED, EXIT_STATUS_DENIED },
		{ 404, TUNNEL_NO_ROUTE, EXIT_STATUS_NO_ROUTE },
		{ 450, TUNNEL_REFUSED, EXIT_STATUS_OTHER },
		{ 495, TUNNEL_UNAUTHORIZED, EXIT_STATUS_DENIED },
		{ 503, TUNNEL_UNAVAILABLE, EXIT_STATUS_UNREACHABLE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(tunnel_classify(cases[i].status), cases[i].outcome);
		assert_int_equal(tunnel_exit_status(cases[i].outcome), cases[i].exit_status);
	}
	assert_int_equal(tunnel_exit_status(TUNNEL_UNREACHABLE), EXIT_STATUS_UNREACHABLE);
}

struct text_case {
	int status;
	const char *reason;
	const char *request_id;
	const char *text;
};

static void explain(const struct text_case *c, struct err *ret)
{
	struct destination destination = { .target = (char *)(uintptr_t) "redis.corp:6379",
					   .gateway_name = (char *)(uintptr_t) "gw:443" };
	const struct gateway gateway = { .destination = &destination };
	struct http_header items[2];
	struct http_headers headers = { .items = items };

	if (c->reason)
		items[headers.count++] = (struct http_header){ STR("X-Pomerium-Reason"),
							       str_from(c->reason) };
	if (c->request_id)
		items[headers.count++] = (struct http_header){ STR("x-request-id"),
							       str_from(c->request_id) };
	tunnel_explain(&gateway, c->status, &headers, ret);
}

static void test_texts(void **state)
{
	static const struct text_case cases[] = {
		{ 403, "denied", "3f1c",
		  "not allowed to use redis.corp:6379 (denied, request 3f1c)" },
		{ 403, NULL, NULL, "not allowed to use redis.corp:6379 (status 403)" },
		{ 403, NULL, "3f1c",
		  "not allowed to use redis.corp:6379 (status 403, request 3f1c)" },
		{ 403, "\x1b[2Jevil", "a\x07", "not allowed to use redis.corp:6379 (status 403)" },
		{ 404, "route_not_found", "7",
		  "gw:443 has no route for redis.corp:6379 (status 404, route_not_found, request 7); "
		  "check the name and the port of the destination" },
		{ 503, "upstream_refused", NULL,
		  "redis.corp:6379 cannot be reached through gw:443 (status 503, upstream_refused); try "
		  "again later" },
		{ 401, NULL, NULL,
		  "not logged in: gw:443 does not accept the login for redis.corp:6379 (status 401)" },
		{ 302, NULL, NULL,
		  "not logged in: gw:443 asks for a login to redis.corp:6379 (status 302)" },
		{ 450, NULL, NULL, "gw:443 refused the tunnel to redis.corp:6379 (status 450)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;

		explain(&cases[i], &e);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void test_long_words_are_cut(void **state)
{
	char reason[1001];
	struct err e;

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	explain(&(struct text_case){ 403, reason, "id", NULL }, &e);
	assert_non_null(strstr(e.text, "request id)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_long_words_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
