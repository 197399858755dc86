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

#define R(from, rest) "routes:\n  - from: " from "\n" rest
#define F(from)       R(from, "    to: tcp://b\n")
#define T(to)         R("tcp+https://a:1", "    to: " to "\n")
#define S(settings)   R("tcp+https://a:1", "    to: tcp://b\n" settings)

struct bad_case {
	const char *text;
	const char *report;
};

static void check_cases(const struct bad_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_bad_from(void **state)
{
	static const struct bad_case cases[] = {
		{ F("tcp+https://a:1/"),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:1/\" has an "
		  "empty path element; remove the slash\n" },
		{ F("tcp+https://a/b:1//c:1"),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a/b:1//c:1\" has an empty path "
		  "element; remove the slash\n" },
		{ F("tcp+https://p/*.a:1"),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://p/*.a:1\": a * works only without a "
		  "path, as in tcp+https://*.example.com:22\n" },
		{ F("tcp+https://*.a/b:1"),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://*.a/b:1\": a * works only without a "
		  "path, as in tcp+https://*.example.com:22\n" },
		{ F("redis.test:1"), "E c.yaml:2:11: routes[0].from: \"redis.test:1\" is not a "
				     "source URL (tcp+https://host:port)\n" },
		{ F("ftp://a"), "E c.yaml:2:11: routes[0].from: \"ftp://a\" is not a source URL "
				"(tcp+https://host:port)\n" },
		{ F(""), "E c.yaml:2:5: routes[0] needs a from: tcp+https://host:port\n" },
		{ "routes: [{to: tcp://b}]\n",
		  "E c.yaml:1:10: routes[0] needs a from: tcp+https://host:port\n" },
		{ "routes: [x]\n",
		  "E c.yaml:1:10: routes[0]: must be a mapping with from and to\n" },
		{ "routes: x\n", "E c.yaml:1:9: routes: must be a list of routes\n" },
		{ F("https://a.test"), "W c.yaml:2:11: routes[0].from: routes for https:// are not "
				       "supported yet; this route is skipped\n" },
		{ R("ssh://a:1", "    to: ssh://b\n    policy: [{allow: {and: []}}]\n    x: y\n"),
		  "W c.yaml:2:11: routes[0].from: routes for ssh:// are not supported yet; "
		  "this route is skipped\n" },
	};
	static const char *const hosts[] = { "u@a:1", "a:0", "a:65536", "a:+1", "'a b:1'", "a:1?q",
					     "a:1#f", "::1", "p/::1:2", "",     "p/u@h:1", "a:" };

	const char *prefix = "E c.yaml:2:11: routes[0].from: \"";

	check_cases(cases, ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct buf text = BUF_INIT(1000);
		char *report;

		(void)buf_printf(&text, "routes:\n  - from: \"tcp+https://%s\"\n    to: tcp://b\n",
				 hosts[i]);
		assert_null(parse_text(buf_view(&text), "c.yaml", &report));
		assert_memory_equal(report, prefix, strlen(prefix));
		mem_free(report);
		buf_done(&text);
	}
}

static void test_bad_to(void **state)
{
	static const struct bad_case cases[] = {
		{ R("tcp+https://a:1", ""),
		  "E c.yaml:2:5: routes[0] needs a to: tcp://host:port\n" },
		{ T("[]"), "E c.yaml:3:9: routes[0].to: needs between 1 and 256 upstreams\n" },
		{ T("[tcp://a, udp://b]"),
		  "E c.yaml:3:19: routes[0].to[1]: \"udp://b\": a TCP route leads to tcp://, unix://, "
		  "or to a proxy: http:// or https://\n" },
		{ R("udp+https://a:1", ""),
		  "E c.yaml:2:5: routes[0] needs a to: udp://host:port\n" },
		{ R("udp+https://a:1", "    to: tcp://b:1\n"),
		  "E c.yaml:3:9: routes[0].to: \"tcp://b:1\": a UDP route leads to udp://\n" },
		{ R("udp+https://a:1", "    to: http://b:1\n"),
		  "E c.yaml:3:9: routes[0].to: \"http://b:1\": a UDP route leads to udp://\n" },
		{ R("udp+https://a:1", "    to: udp://b\n"),
		  "E c.yaml:3:9: routes[0].to: \"udp://b\" needs a port\n" },
		{ T("['tcp://a:1', 'https://p.test']"),
		  "E c.yaml:3:23: routes[0].to: cannot mix tcp:// and https://\n" },
		{ T("['http://a:1', 'unix:///x']"),
		  "E c.yaml:3:24: routes[0].to: cannot mix http:// and unix://\n" },
		{ T("['unix:///x', 'tcp://x']"),
		  "E c.yaml:3:23: routes[0].to: cannot mix unix:// and tcp://\n" },
		{ T("unix://x"),
		  "E c.yaml:3:9: routes[0].to: \"unix://x\" must be unix:// and an absolute path of "
		  "at most 107 bytes\n" },
		{ T("http://p.test/x"),
		  "E c.yaml:3:9: routes[0].to: \"http://p.test/x\": only host and port belong "
		  "here\n" },
		{ T("tcp://b:1,0"),
		  "E c.yaml:3:9: routes[0].to: \"0\" is not a weight (a number above 0); several "
		  "upstreams are written as a list\n" },
		{ T("'tcp://b:1,tcp://c:1'"),
		  "E c.yaml:3:9: routes[0].to: \"tcp://c:1\" is not a weight (a number above 0); "
		  "several upstreams are written as a list\n" },
		{ T("'tcp://b:1,4294967296'"),
		  "E c.yaml:3:9: routes[0].to: \"4294967296\" is not a weight (a number above 0); "
		  "several upstreams are written as a list\n" },
		{ T("['tcp://a,1', tcp://b]"),
		  "E c.yaml:3:23: routes[0].to: weights must be given for all elements or for "
		  "none\n" },
		{ T("tcp://b/path"),
		  "E c.yaml:3:9: routes[0].to: \"tcp://b/path\": only host and port belong here\n" },
		{ R("tcp+https://a:1", "    redirect: {https_redirect: true}\n"),
		  "E c.yaml:3:5: routes[0].redirect does not work on a TCP route; use to\n" },
		{ R("tcp+https://a:1", "    response: {status: 200}\n"),
		  "E c.yaml:3:5: routes[0].response does not work on a TCP route; use to\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_bad_settings(void **state)
{
	static const struct bad_case cases[] = {
		{ S("    policy: 'allow: x'\n"),
		  "E c.yaml:4:13: routes[0].policy: must be a mapping or a list of rules, not a "
		  "text\n" },
		{ S("    policy: []\n"), "" },
		{ S("    policy:\n"), "" },
		{ S("    allowed_idp_claims: [a]\n"),
		  "E c.yaml:4:25: routes[0].allowed_idp_claims: must be a mapping of claims to lists "
		  "of values\n" },
		{ S("    allowed_idp_claims: {a: {b: c}, d: [[e]], '': f}\n"),
		  "E c.yaml:4:29: routes[0].allowed_idp_claims.a: must be a value or a list of "
		  "values\n"
		  "E c.yaml:4:41: routes[0].allowed_idp_claims.d[0]: must be a value\n"
		  "E c.yaml:4:47: routes[0].allowed_idp_claims: a claim needs a name\n" },
		{ S("    outlier_detection: {interval: 1s}\n"),
		  "W c.yaml:4:5: routes[0].outlier_detection is not supported yet and has no "
		  "effect\n" },
		{ S("    depends_on: [a.test, 'https://b.test/c']\n"),
		  "W c.yaml:4:17: routes[0].depends_on has no effect on tunnels: one login is good for all routes\n" },
		{ S("    depends_on: [a/b, c, d, e, f, g]\n"),
		  "E c.yaml:4:17: routes[0].depends_on: has more than 5 hosts\n"
		  "E c.yaml:4:18: routes[0].depends_on[0]: \"a/b\" is neither a host nor a URL\n"
		  "W c.yaml:4:17: routes[0].depends_on has no effect on tunnels: one login is good for all routes\n" },
		{ S("    set_authorization_header: x\n"),
		  "E c.yaml:4:5: routes[0].set_authorization_header is no longer supported\n" },
		{ "policy: [{from: 'tcp+https://a', to: 'tcp://b', set_authorization_header: x}]\n",
		  "W c.yaml:1:49: policy[0].set_authorization_header is no longer supported and is "
		  "ignored\n" },
		{ S("    allow_any_authenticated_user: yes\n"),
		  "E c.yaml:4:35: routes[0].allow_any_authenticated_user: \"yes\" is not true or "
		  "false\n" },
		{ S("    allowed_users: [a, [b], ~]\n"),
		  "E c.yaml:4:24: routes[0].allowed_users[1]: must be a text, not a list\n"
		  "E c.yaml:4:29: routes[0].allowed_users[2]: must not be empty\n" },
		{ S("    allowed_users: {a: b}\n"),
		  "E c.yaml:4:20: routes[0].allowed_users: must be a text, not a mapping\n" },
		{ S("    allowed_users: ['']\n"),
		  "E c.yaml:4:21: routes[0].allowed_users[0]: must not be empty\n" },
		{ S("    allowed_users: a@b.test, c@d.test\n"),
		  "W c.yaml:4:20: routes[0].allowed_users[1]: \" c@d.test\" has blanks around it and "
		  "matches nobody\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_contradictions(void **state)
{
	static const struct bad_case cases[] = {
		{ S("    allow_public_unauthenticated_access: true\n"
		    "    allow_any_authenticated_user: true\n"),
		  "E c.yaml:4:42: routes[0]: allow_public_unauthenticated_access and "
		  "allow_any_authenticated_user exclude each other\n" },
		{ S("    allow_public_unauthenticated_access: true\n    allowed_users: []\n"),
		  "E c.yaml:4:42: routes[0]: allow_public_unauthenticated_access and allowed_users "
		  "exclude each other\n" },
		{ S("    allowed_groups: x\n    allow_public_unauthenticated_access: true\n"),
		  "E c.yaml:5:42: routes[0]: allow_public_unauthenticated_access and allowed_groups "
		  "exclude each other\n" },
		{ S("    allow_any_authenticated_user: true\n    allowed_domains: [x]\n"
		    "    allowed_users: [y]\n"),
		  "E c.yaml:4:35: routes[0]: allow_any_authenticated_user and allowed_domains exclude "
		  "each other\n"
		  "E c.yaml:4:35: routes[0]: allow_any_authenticated_user and allowed_users exclude "
		  "each other\n" },
		{ S("    allow_any_authenticated_user: false\n    allowed_users: [y]\n"), "" },
		{ S("    allow_any_authenticated_user: true\n    allowed_users:\n"), "" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_duplicates(void **state)
{
	static const struct bad_case cases[] = {
		{ "routes:\n"
		  "  - {from: 'tcp+https://a:1', to: 'tcp://b'}\n"
		  "  - {from: 'tcp+https://A:1', to: 'tcp://b', allowed_users: x}\n",
		  "E c.yaml:3:5: routes[1] has the same from and to as the route in line 2; put their "
		  "policies into one\n" },
		{ "routes:\n"
		  "  - {from: 'tcp+https://a:1', to: 'tcp://b'}\n"
		  "  - {from: 'tcp+https://p/c:1/A:1', to: 'tcp://b'}\n"
		  "policy:\n"
		  "  - {from: 'tcp+https://a:2', to: 'tcp://b'}\n",
		  "W c.yaml:3:12: routes[1].from: the route in line 2 answers for A:1 already; this "
		  "one never will\n" },
		{ "routes:\n"
		  "  - {from: 'tcp+https://*.a:1', to: 'tcp://b'}\n"
		  "  - {from: 'tcp+https://*.A:1', to: 'tcp://c'}\n"
		  "  - {from: 'tcp+https://*a:1', to: 'tcp://c'}\n",
		  "W c.yaml:3:12: routes[1].from: the route in line 2 answers for *.A:1 already; this "
		  "one never will\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_of_the_manual),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_order_and_lists),
		cmocka_unit_test(test_bad_from),
		cmocka_unit_test(test_bad_to),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
