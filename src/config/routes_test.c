/*
 * routes_test.c - from, to, contradictions, duplicates
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

/* As the manual prints it. */
static void test_example_of_the_manual(void **state)
{
	struct config *config = parse_good("policy:\n"
					   "  - from: tcp+https://redis.corp.example.com:6379\n"
					   "    to: tcp://redis.internal.example.com:6379\n"
					   "    allowed_users:\n"
					   "      - contractor@not-example.com\n"
					   "    allowed_groups:\n"
					   "      - datascience@example.com\n");

	assert_int_equal(config->route_count, 1);
	const struct config_route *route = &config->routes[0];
	assert_str(route->from, "tcp+https://redis.corp.example.com:6379");
	assert_int_equal(route->at.line, 2);
	assert_int_equal(route->at.column, 5);
	assert_string_equal(route->at.file, "c.yaml");
	assert_int_equal(route->name_count, 1);
	assert_str(route->names[0].text, "redis.corp.example.com:6379");
	assert_str(route->names[0].host, "redis.corp.example.com");
	assert_int_equal(route->names[0].port, 6379);
	assert_int_equal(route->target_count, 1);
	assert_str(route->targets[0].host, "redis.internal.example.com");
	assert_int_equal(route->targets[0].port, 6379);
	assert_false(route->targets[0].is_weighted);
	assert_int_equal(route->access.allowed_users.count, 1);
	assert_str(route->access.allowed_users.items[0], "contractor@not-example.com");
	assert_int_equal(route->access.allowed_groups.count, 1);
	assert_str(route->access.allowed_groups.items[0], "datascience@example.com");
	assert_false(route->access.allow_any_authenticated_user);
	assert_false(route->access.allow_public_unauthenticated_access);
	config_free(config);
}

static void test_names(void **state)
{
	static const struct {
		const char *from;
		const char *names[3];
	} cases[] = {
		{ "tcp+https://redis.example.com", { "redis.example.com" } },
		{ "TCP+HTTP://Redis.Example.com:1", { "Redis.Example.com:1" } },
		{ "tcp+https://proxy.example.com:8443/redis.internal:6379",
		  { "redis.internal:6379" } },
		{ "tcp+https://p.example.com/a.internal:1/b.internal:2",
		  { "a.internal:1", "b.internal:2" } },
		{ "tcp+https://[::1]:22", { "[::1]:22" } },
		{ "tcp+https://p.test/bare", { "bare" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(1000);

		(void)buf_printf(&text, "routes:\n  - from: '%s'\n    to: tcp://x%c", cases[i].from,
				 0);
		struct config *config = parse_good((const char *)text.data);
		const struct config_route *route = &config->routes[0];
		size_t count = 0;

		while (cases[i].names[count]) {
			assert_str(route->names[count].text, cases[i].names[count]);
			count++;
		}
		assert_int_equal(route->name_count, count);
		config_free(config);
		buf_done(&text);
	}
}

static void test_targets(void **state)
{
	struct config *config = parse_good(
		"routes:\n"
		"  - from: tcp+https://a:1\n"
		"    to: tcp://localhost\n"
		"  - from: tcp+https://a:2\n"
		"    to: ['tcp://LOCALHOST:5,3', 'tcp://[fe80::1]:6,4294967295']\n"
		"  - from: tcp+https://a:3\n"
		"    to:\n"
		"      - tcp://b.test:1/\n"
		"      - TCP://c.test:2\n"
		"    prefix: /ignored\n"
		"    tls_skip_verify: true\n");

	assert_str(config->routes[0].targets[0].host, "127.0.0.1");
	assert_int_equal(config->routes[0].targets[0].port, 80);
	assert_str(config->routes[1].targets[0].host, "127.0.0.1");
	assert_true(config->routes[1].targets[0].is_weighted);
	assert_int_equal(config->routes[1].targets[0].weight, 3);
	assert_str(config->routes[1].targets[1].host, "fe80::1");
	assert_int_equal(config->routes[1].targets[1].weight, UINT32_MAX);
	assert_int_equal(config->routes[2].target_count, 2);
	assert_str(config->routes[2].targets[1].host, "c.test");
	config_free(config);
}

static void test_order_and_lists(void **state)
{
	struct config *config = parse_good("routes:\n"
					   "  - from: tcp+https://b:1\n"
					   "    to: tcp://x\n"
					   "    allowed_domains: 'a.test,b.test'\n"
					   "    allowed_groups: 17\n"
					   "policy:\n"
					   "  - from: tcp+https://a:1\n"
					   "    to: tcp://x\n"
					   "    name: The name\n"
					   "    description: 5\n"
					   "    allow_any_authenticated_user: 1\n"
					   "  - from: tcp+https://a:2\n"
					   "    to: tcp://x\n"
					   "    allow_public_unauthenticated_access: 't'\n"
					   "    allow_any_authenticated_user: false\n");

	assert_int_equal(config->route_count, 3);
	assert_str(config->routes[0].names[0].text, "a:1");
	assert_str(config->routes[0].name, "The name");
	assert_str(config->routes[0].description, "5");
	assert_true(config->routes[0].access.allow_any_authenticated_user);
	assert_true(config->routes[1].access.allow_public_unauthenticated_access);
	assert_false(config->routes[1].access.allow_any_authenticated_user);
	assert_int_equal(config->routes[2].access.allowed_domains.count, 2);
	assert_str(config->routes[2].access.allowed_domains.items[1], "b.test");
	assert_int_equal(config->routes[2].access.allowed_groups.count, 1);
	assert_str(config->routes[2].access.allowed_groups.items[0], "17");
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_of_the_manual),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_order_and_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
