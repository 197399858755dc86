/*
 * endpoint_routes_test.c - the list shows what is open to who asks, and nothing else
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/exchange_fixture.h"

#define BASE "databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS

#define ROUTES                                                                                      \
	"routes:\n"                                                                                 \
	"- {from: 'tcp+https://redis.example.com:6379', to: 'tcp://10.0.0.5:6379',\n"               \
	"   name: cache, description: \"The \\\"cache\\\"\", allowed_users: [alice@example.com]}\n" \
	"- {from: 'tcp+https://db.example.com:5432', to: 'tcp://10.0.0.6:5432',\n"                  \
	"   allow_any_authenticated_user: true}\n"                                                  \
	"- {from: 'tcp+https://db.example.com:5433', to: 'tcp://10.0.0.6:5433',\n"                  \
	"   allow_any_authenticated_user: true}\n"                                                  \
	"- {from: 'tcp+https://gw.example.com/ssh.internal:22', to: 'tcp://10.0.0.7:22',\n"         \
	"   policy: [{allow: {and: [{groups: {has: ops}}]}}]}\n"                                    \
	"- {from: 'tcp+https://denied.example.com:1', to: 'tcp://10.0.0.8:1',\n"                    \
	"   policy: [{allow: {and: [{accept: true}]}, deny: {and: [{user: {is: user-1}}]}}]}\n"

static void get(struct exchange_fixture *f, const char *token)
{
	exchange_fixture_sendf(
		f,
		"GET /.pomerium/api/v1/routes HTTP/1.1\r\nHost: redis.example.com\r\n"
		"Accept: application/json\r\n"
		"Authorization: Bearer Pomerium-%s\r\n\r\n",
		token);
}

#define DB(name, port)                                                                             \
	"\"name\":\"" name "\",\"type\":\"tcp\",\"from\":\"tcp+https://db.example.com:" port       \
	"\",\"description\":\"\",\"connect_command\":\"pomerium-cli tcp db.example.com:" port      \
	"\",\"logo_url\":\"\"}"

static void test_list(void **state)
{
	struct exchange_fixture *f = *state;
	char *alice = exchange_fixture_log_in(f, "alice@example.com");
	char *bob = exchange_fixture_log_in(f, "bob@example.com");

	exchange_fixture_reload(f, BASE ROUTES);
	get(f, alice);
	exchange_fixture_expect(f, 200,
				"content-type: application/json\ncache-control: no-store\n"
				"x-content-type-options: nosniff\nserver: pomerium\n"
				"x-request-id: <uuid>\n");
	assert_true(str_starts_with(buf_view(&f->body), STR("{\"routes\":[{\"id\":\"")));
	assert_true(str_ends_with(buf_view(&f->body), STR("}]}\n")));
	assert_true(exchange_fixture_body_has(
		f, "\"name\":\"cache\",\"type\":\"tcp\","
		   "\"from\":\"tcp+https://redis.example.com:6379\","
		   "\"description\":\"The \\\"cache\\\"\","
		   "\"connect_command\":\"pomerium-cli tcp redis.example.com:6379\""));
	assert_true(exchange_fixture_body_has(f, DB("db.example.com", "5432")));
	assert_true(exchange_fixture_body_has(f, DB("db.example.com:5433", "5433")));
	assert_false(exchange_fixture_body_has(f, "ssh.internal"));
	assert_false(exchange_fixture_body_has(f, "denied"));

	get(f, bob);
	assert_false(exchange_fixture_body_has(f, "cache"));
	assert_true(exchange_fixture_body_has(
		f, "\"name\":\"ssh.internal\",\"type\":\"tcp\","
		   "\"from\":\"tcp+https://gw.example.com/ssh.internal:22\",\"description\":\"\","
		   "\"connect_command\":"
		   "\"pomerium-cli tcp tcp+https://gw.example.com/ssh.internal:22\""));
	assert_true(exchange_fixture_body_has(f, "denied.example.com"));
	mem_free_secret(alice);
	mem_free_secret(bob);
}

/* Programs are told 401, so that they log in and ask again; the list is not for people without a login. */
static void test_login_is_needed(void **state)
{
	struct exchange_fixture *f = *state;

	get(f, "a.b.c");
	assert_int_equal(f->status, 401);
	exchange_fixture_send(f, STR("GET /.pomerium/api/v1/routes HTTP/1.1\r\n"
				     "Host: redis.example.com\r\n"
				     "Accept: application/json\r\n\r\n"));
	assert_int_equal(f->status, 401);
	exchange_fixture_send(f, STR("POST /.pomerium/api/v1/routes HTTP/1.1\r\n"
				     "Host: redis.example.com\r\n\r\n"));
	assert_int_equal(f->status, 405);
}

static void test_flag(void **state)
{
	struct exchange_fixture *f = *state;
	char *alice = exchange_fixture_log_in(f, "alice@example.com");

	exchange_fixture_reload(f, FIXTURE_SETTINGS "runtime_flags: {routes_portal: false}\n");
	get(f, alice);
	assert_int_equal(f->status, 404);
	exchange_fixture_expect_body(f, "Not Found\n");
	mem_free_secret(alice);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_login_is_needed, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_flag, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
