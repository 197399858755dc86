/*
 * route_errors_test.c - routes that are refused: from, to, who may, and what contradicts
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

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
		{ F("https://a.test/"),
		  "W c.yaml:2:11: routes[0].from: routes for https:// are not "
		  "supported yet; this route is skipped\n" },
		{ F("https://a.test/x"),
		  "E c.yaml:2:11: routes[0].from: \"https://a.test/x\" contains a path\n" },
		{ F("http://a.test"),
		  "W c.yaml:2:11: routes[0].from: routes for http:// are not supported yet; this route is skipped\n" },
		{ F("[a]"), "E c.yaml:2:11: routes[0].from: must be a text\n" },
		{ F("tcp://a:1"),
		  "E c.yaml:2:11: routes[0].from: \"tcp://a:1\" is not a source URL (tcp+https://host:port)\n" },
		{ F("'://a'"),
		  "E c.yaml:2:11: routes[0].from: \"://a\" is not a source URL (tcp+https://host:port)\n" },
		{ F("tcp+https:a:1"),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https:a:1\" is not a source URL (tcp+https://host:port)\n" },
		{ F("'tcp+https:///b:1'"),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https:///b:1\": the host is empty\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_bad_hosts(void **state)
{
	static const struct bad_case cases[] = {
		{ F("\"tcp+https://u@a:1\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://u@a:1\": user information in front of the host is refused\n" },
		{ F("\"tcp+https://a:0\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:0\": invalid host and port \"a:0\": the port must be a number from 1 to 65535\n" },
		{ F("\"tcp+https://a:65536\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:65536\": invalid host and port \"a:65536\": the port must be a number from 1 to 65535\n" },
		{ F("\"tcp+https://a:+1\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:+1\": invalid host and port \"a:+1\": the port must be a number from 1 to 65535\n" },
		{ F("\"tcp+https://a b:1\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a b:1\": invalid host \"a b\": neither a name nor an IP address\n" },
		{ F("\"tcp+https://a:1?q\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:1?q\": invalid host and port \"a:1?q\": the port must be a number from 1 to 65535\n" },
		{ F("\"tcp+https://a:1#f\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:1#f\": invalid host and port \"a:1#f\": the port must be a number from 1 to 65535\n" },
		{ F("\"tcp+https://::1\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://::1\": the host is empty\n" },
		{ F("\"tcp+https://p/::1:2\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://p/::1:2\": the host is empty\n" },
		{ F("\"tcp+https://\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://\": the host is empty\n" },
		{ F("\"tcp+https://p/u@h:1\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://p/u@h:1\": user information in front of the host is refused\n" },
		{ F("\"tcp+https://a:\""),
		  "E c.yaml:2:11: routes[0].from: \"tcp+https://a:\": invalid host and port \"a:\": the port must be a number from 1 to 65535\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
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
		{ T(), "E c.yaml:2:5: routes[0] needs a to: tcp://host:port\n" },
		{ T("b:1"),
		  "E c.yaml:3:9: routes[0].to: \"b:1\": the URL does not begin with scheme://\n" },
		{ T("tcp://"), "E c.yaml:3:9: routes[0].to: \"tcp://\": URL: the host is empty\n" },
		{ T("tcp://b:0"),
		  "E c.yaml:3:9: routes[0].to: \"tcp://b:0\": URL: invalid host and port \"b:0\": the port must be a number from 1 to 65535\n" },
		{ T("'tcp://b:1,'"),
		  "E c.yaml:3:9: routes[0].to: \"\" is not a weight (a number above 0); several upstreams are written as a list\n" },
		{ T("'tcp://b:1,-1'"),
		  "E c.yaml:3:9: routes[0].to: \"-1\" is not a weight (a number above 0); several upstreams are written as a list\n" },
		{ T("tcp://u@b"),
		  "E c.yaml:3:9: routes[0].to: \"tcp://u@b\": URL: user information in front of the host is refused\n" },
		{ T("tcp://b?x"),
		  "E c.yaml:3:9: routes[0].to: \"tcp://b?x\": only host and port belong here\n" },
		{ T("{a: b}"), "E c.yaml:3:9: routes[0].to: must be a text, not a mapping\n" },
		{ T("[[a], ~]"), "E c.yaml:3:10: routes[0].to[0]: must be a text, not a list\n"
				 "E c.yaml:3:15: routes[0].to[1]: must not be empty\n" },
		{ T("''"),
		  "E c.yaml:3:9: routes[0].to: \"\": the URL does not begin with scheme://\n" },
		{ T("h2c://b"),
		  "E c.yaml:3:9: routes[0].to: \"h2c://b\": a TCP route leads to tcp://, unix://, or to a proxy: http:// or https://\n" },
		{ T("[tcp://a, '']"),
		  "E c.yaml:3:19: routes[0].to[1]: \"\": the URL does not begin with scheme://\n" },
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
		{ S("    allow_public_unauthenticated_access: perhaps\n"),
		  "E c.yaml:4:42: routes[0].allow_public_unauthenticated_access: \"perhaps\" is not true or false\n" },
		{ S("    allowed_domains: ['']\n"),
		  "E c.yaml:4:23: routes[0].allowed_domains[0]: must not be empty\n" },
		{ S("    allowed_domains: {a: b}\n"),
		  "E c.yaml:4:22: routes[0].allowed_domains: must be a text, not a mapping\n" },
		{ S("    allowed_groups: ['']\n"),
		  "E c.yaml:4:22: routes[0].allowed_groups[0]: must not be empty\n" },
		{ S("    allowed_groups: {a: b}\n"),
		  "E c.yaml:4:21: routes[0].allowed_groups: must be a text, not a mapping\n" },
		{ S("    allowed_idp_claims: x\n"),
		  "E c.yaml:4:25: routes[0].allowed_idp_claims: must be a mapping of claims to lists of values\n" },
		{ S("    depends_on: {a: b}\n"),
		  "E c.yaml:4:17: routes[0].depends_on: must be a text, not a mapping\n" },
		{ S("    policy: 5\n"),
		  "E c.yaml:4:13: routes[0].policy: must be a mapping or a list of rules, not a text\n" },
		{ S("    name: [a]\n"
		    "    description: {a: b}\n"),
		  "E c.yaml:4:11: routes[0].name: must be a text, not a list\n"
		  "E c.yaml:5:18: routes[0].description: must be a text, not a mapping\n" },
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
		{ S("    allow_public_unauthenticated_access: true\n"
		    "    allowed_domains: [x]\n"),
		  "E c.yaml:4:42: routes[0]: allow_public_unauthenticated_access and allowed_domains exclude each other\n" },
		{ S("    allow_any_authenticated_user: true\n"
		    "    allowed_groups: [x]\n"),
		  "E c.yaml:4:35: routes[0]: allow_any_authenticated_user and allowed_groups exclude each other\n" },
		{ S("    prefix_rewrite: /a\n"
		    "    regex_rewrite_pattern: b\n"),
		  "E c.yaml:5:28: routes[0]: prefix_rewrite and regex_rewrite_pattern exclude each other\n" },
		{ S("    prefix_rewrite: /a\n"
		    "    regex_rewrite_pattern: ''\n"),
		  "" },
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
		cmocka_unit_test(test_bad_from),       cmocka_unit_test(test_bad_hosts),
		cmocka_unit_test(test_bad_to),         cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_contradictions), cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
