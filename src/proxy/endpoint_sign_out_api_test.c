/*
 * endpoint_sign_out_api_test.c - a program ends its session, and nobody else's
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/exchange_fixture.h"

#define PATH "/.pomerium/api/v1/sign_out"

static void ask(struct exchange_fixture *f, const char *method, const char *header,
		const char *token)
{
	exchange_fixture_sendf(f,
			       "%s " PATH " HTTP/1.1\r\nHost: redis.example.com:8443\r\n"
			       "Content-Length: 0\r\n%s%s\r\n\r\n",
			       method, header, token);
}

static bool is_good(struct exchange_fixture *f, const char *token)
{
	exchange_fixture_sendf(f,
			       "GET /.pomerium/user HTTP/1.1\r\nHost: redis.example.com:8443\r\n"
			       "Authorization: Pomerium %s\r\n\r\n",
			       token);
	return f->status == 200;
}

static void test_ends_its_session(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char *other = exchange_fixture_log_in(f, "alice@example.com");

	ask(f, "POST", "Authorization: Pomerium ", token);
	exchange_fixture_expect(
		f, 204, "cache-control: no-store\nserver: pomerium\nx-request-id: <uuid>\n");
	assert_false(is_good(f, token));
	assert_true(is_good(f, other));
	ask(f, "POST", "Authorization: Pomerium ", token);
	assert_int_equal(f->status, 401);
	ask(f, "POST", "Authorization: Bearer Pomerium-", other);
	assert_int_equal(f->status, 204);
	assert_false(is_good(f, other));
	mem_free_secret(token);
	mem_free_secret(other);
}

static void test_takes_no_cookie(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");

	ask(f, "POST", "Cookie: _pomerium=", token);
	assert_int_equal(f->status, 401);
	ask(f, "GET", "Authorization: Pomerium ", token);
	assert_int_equal(f->status, 405);
	ask(f, "POST", "X-Nothing: ", "x");
	assert_int_equal(f->status, 401);
	assert_true(is_good(f, token));
	mem_free_secret(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ends_its_session, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_takes_no_cookie, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
