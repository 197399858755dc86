/*
 * What other gateways may send, and how a route is chosen.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/routes_list.h"

#define TCP(name, destination)                                                                     \
	"{\"id\":\"i-" name "\",\"name\":\"" name "\",\"type\":\"tcp\","                           \
	"\"connect_command\":\"pomerium-cli tcp " destination "\"}"

static void test_reading(void **state)
{
	struct routes_list list;
	struct err e;

	assert_int_equal(
		routes_list_parse(
			STR("{\"routes\":[{\"name\":\"a\\u001b[2Jb\\u009b2J\",\"type\":\"http\",\"other\":[{}],"
			    "\"logo_url\":\"data:x\",\"description\":null}]}\n"),
			&list, &e),
		0);
	assert_int_equal(list.count, 1);
	assert_true(str_equal(list.routes[0].name, STR("a?[2Jb?2J")));
	assert_true(str_is_empty(list.routes[0].id));
	assert_true(str_is_empty(listed_route_destination(&list.routes[0])));
	routes_list_done(&list);
	assert_int_equal(routes_list_parse(STR("{\"routes\":[]}"), &list, &e), 0);
	assert_int_equal(list.count, 0);
	routes_list_done(&list);
}

static void test_bad(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"routes\":{}}",
		"{\"routes\":[1]}",
		"{\"routes\":[{\"name\":5}]}",
		"{\"routes\":[]",
		"<html>",
		"{\"routes\":[],\"routes\":[]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct routes_list list = { 0 };
		struct err e = { 0 };

		assert_int_equal(routes_list_parse(str_from(texts[i]), &list, &e), -1);
		assert_non_null(strstr(e.text, "makes no sense"));
	}
}

static void test_choosing(void **state)
{
	static const struct {
		const char *name;
		const char *id; /* NULL: none */
	} rows[] = {
		{ "cache", "i-cache" },
		{ "i-cache", "i-cache" },
		{ "redis.example.com:6379", "i-cache" },
		{ "REDIS.example.com:6379", "i-cache" },
		{ "redis", "i-cache" },
		{ "db", NULL }, /* two */
		{ "db.example.com:5432", "i-one" },
		{ "ssh", "i-behind" },
		{ "tcp+https://gw.example.com/ssh.internal:22", "i-behind" },
		{ "redis.example.com", NULL },
		{ "", NULL },
	};
	struct routes_list list;
	struct err e;

	assert_int_equal(
		routes_list_parse(
			STR("{\"routes\":[" TCP("cache", "redis.example.com:6379") "," TCP("one", "db.example.com:5432") "," TCP(
				"two",
				"db.example.com:5433") "," TCP("behind",
							       "tcp+https://gw.example.com/ssh.internal:22") "]}"),
			&list, &e),
		0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct listed_route *route = routes_list_find(&list, str_from(rows[i].name));

		if (rows[i].id)
			assert_true(route && str_equal(route->id, str_from(rows[i].id)));
		else
			assert_null(route);
	}
	routes_list_done(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_choosing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
