/*
 * policy_errors_test.c - every mistake is found, with its place, its path and a sentence
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "policy/policy.h"

static char *problems_of(struct str text)
{
	struct report report = { 0 };
	struct buf lines = BUF_INIT(1u << 20);
	struct yaml *yaml = NULL;

	assert_int_equal(yaml_parse(text, "p.yaml", YAML_FORM_YAML, &yaml, &report), 0);
	const struct config_route route = {
		.path = STR("routes[2]"),
		.access = { .policy = yaml_root(yaml) },
	};
	struct policy *policy = policy_compile(&route, POLICY_CERTIFICATE_FREE, &report);
	assert_int_equal(policy == NULL, report.error_count > 0);
	policy_free(policy);
	for (size_t i = 0; i < report.count; i++)
		(void)buf_printf(&lines, "%s%s\n",
				 report.problems[i].severity == REPORT_WARNING ? "W " : "",
				 report.problems[i].text);
	report_done(&report);
	yaml_free(yaml);
	return buf_take_string(&lines);
}

struct problem_case {
	const char *text;
	const char *problems;
};

static void check(const struct problem_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *problems = problems_of(str_from(cases[i].text));

		assert_string_equal(problems, cases[i].problems);
		mem_free(problems);
	}
}

#define AT(line, column) "p.yaml:" #line ":" #column ": routes[2].policy"

static void test_shape(void **state)
{
	static const struct problem_case cases[] = {
		{ "accept", AT(1, 1) ": a mapping of \"allow\" and \"deny\" is needed here\n" },
		{ "- 1\n- allow: {}\n", AT(1, 3) "[0]: a mapping of \"allow\" and \"deny\" is "
						 "needed here\n" },
		{ "permit: {}", AT(1, 1) ": \"permit\" is not known here (allow, deny)\n" },
		{ "allow:", AT(1, 1) ".allow: a mapping of operators is needed here (and, or, not, "
				     "nor)\n" },
		{ "allow: [accept]", AT(1, 8) ".allow: a mapping of operators is needed here (and, "
					      "or, not, nor)\n" },
		{ "allow: {xor: []}",
		  AT(1, 9) ".allow: \"xor\" is not an operator (and, or, not, nor)\n" },
		{ "allow: {claim/x: 1}",
		  AT(1, 9) ".allow: \"claim/x\" is a criterion: it belongs into the list of an "
			   "operator (and, or, not, nor)\n" },
		{ "deny: {or: {accept: 1}}",
		  AT(1, 12) ".deny.or: a list of criteria is needed here\n" },
		{ "deny: {or: [accept]}",
		  AT(1, 13) ".deny.or[0]: a mapping with one criterion is needed here\n" },
		{ "deny: {or: [{}]}", AT(1, 13) ".deny.or[0]: no criterion in it\n" },
		{ "deny: {or: [{accept: 1, reject: 1}]}",
		  AT(1, 13) ".deny.or[0]: more than one criterion: each is an element of its "
			    "own\n" },
		{ "deny: {or: [{not: []}]}",
		  AT(1, 14) ".deny.or[0].not: operators are not nested: a criterion is needed "
			    "here\n" },
		{ "- [x]", AT(1, 3) "[0]: a mapping of \"allow\" and \"deny\" is needed here\n" },
		{ "allow: accept",
		  AT(1, 8) ".allow: a mapping of operators is needed here (and, or, not, nor)\n" },
		{ "deny: 5",
		  AT(1, 7) ".deny: a mapping of operators is needed here (and, or, not, nor)\n" },
		{ "allow: {or:}", AT(1, 9) ".allow.or: a list of criteria is needed here\n" },
		{ "allow: {or: x}", AT(1, 13) ".allow.or: a list of criteria is needed here\n" },
		{ "allow: {or: [[accept]]}",
		  AT(1, 14) ".allow.or[0]: a mapping with one criterion is needed here\n" },
		{ "allow: {or: [~]}",
		  AT(1, 14) ".allow.or[0]: a mapping with one criterion is needed here\n" },
		{ "allow: {and: [{or: []}, {nor: []}, {and: []}]}",
		  AT(1, 16) ".allow.and[0].or: operators are not nested: a criterion is needed here\n" AT(1, 26) ".allow.and[1].nor: operators are not nested: a criterion is needed here\n" AT(
			  1,
			  37) ".allow.and[2].and: operators are not nested: a criterion is needed here\n" },
	};

	check(cases, ARRAY_LEN(cases));
}

static void test_criteria(void **state)
{
	static const struct problem_case cases[] = {
		{ "allow: {or: [{emial: a}]}",
		  AT(1, 15) ".allow.or[0].emial: \"emial\" is not a criterion; did you mean "
			    "email?\n" },
		{ "allow: {or: [{Group: a}]}",
		  AT(1, 15) ".allow.or[0].Group: \"group\" is not a criterion; did you mean "
			    "groups?\n" },
		{ "allow: {or: [{weather: a}]}",
		  AT(1, 15) ".allow.or[0].weather: \"weather\" is not a criterion\n" },
		{ "allow: {or: [{ssh_ca: a}]}",
		  AT(1, 15) ".allow.or[0].ssh_ca: ssh_ca is not supported by this gateway\n" },
		{ "allow: {or: [{email/x: a}]}",
		  AT(1, 15) ".allow.or[0].email/x: email takes no \"/\"\n" },
		{ "allow: {or: [{email: {has: a}}]}",
		  AT(1, 23) ".allow.or[0].email: \"has\" is not an operator here (is, not, in, "
			    "not_in, starts_with, ends_with, contains)\n" },
		{ "allow: {or: [{email: {in: a}}]}",
		  AT(1, 27) ".allow.or[0].email.in: a list is needed here\n" },
		{ "allow: {or: [{email: {contains: [a]}}]}",
		  AT(1, 33) ".allow.or[0].email.contains: a text is needed here\n" },
		{ "allow: {or: [{groups: {in: [a]}}]}",
		  AT(1, 24) ".allow.or[0].groups: \"in\" is not an operator here (has, is, "
			    "exclude)\n" },
		{ "allow: {or: [{source_ip: [10.0.0.1, 10.0.0]}]}",
		  AT(1, 37) ".allow.or[0].source_ip[1]: \"10.0.0\" is not an IP address or a range "
			    "like 10.0.0.0/8\n" },
		{ "allow: {or: [{client_certificate: {cn: a}}]}",
		  AT(1, 36) ".allow.or[0].client_certificate: \"cn\" is not known of a certificate "
			    "(fingerprint, spki_hash, san_email, san_dns, san_uri)\n" },
		{ "allow: {or: [{client_certificate: {fingerprint: [ab]}}]}",
		  AT(1, 50) ".allow.or[0].client_certificate.fingerprint[0]: \"ab\" is not a "
			    "SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 "
			    "upper-case bytes with ':'\n" },
	};

	check(cases, ARRAY_LEN(cases));
}

static void test_matchers(void **state)
{
	static const struct problem_case cases[] = {
		{ "allow: {or: [{user: {not_in: a}}]}",
		  AT(1, 30) ".allow.or[0].user.not_in: a list is needed here\n" },
		{ "allow: {or: [{user: {starts_with: 5}}]}",
		  AT(1, 35) ".allow.or[0].user.starts_with: a text is needed here\n" },
		{ "allow: {or: [{user: {starts_with: [a]}}, {domain: {ends_with: {a: b}}}]}",
		  AT(1, 35) ".allow.or[0].user.starts_with: a text is needed here\n" AT(
			  1, 63) ".allow.or[1].domain.ends_with: a text is needed here\n" },
		{ "allow: {or: [{domain: {like: x}}]}",
		  AT(1,
		     24) ".allow.or[0].domain: \"like\" is not an operator here (is, not, in, not_in, starts_with, ends_with, contains)\n" },
		{ "allow: {or: [{http_method: {has: x}}, {http_path: {regex: x}}]}",
		  AT(1, 29) ".allow.or[0].http_method: \"has\" is not an operator here (is, not, in, not_in, starts_with, ends_with, contains)\n" AT(
			  1,
			  52) ".allow.or[1].http_path: \"regex\" is not an operator here (is, not, in, not_in, starts_with, ends_with, contains)\n" },
		{ "allow: {or: [{claim/x: {in: [a]}}, {claim/x: {not: a}}]}",
		  AT(1, 25) ".allow.or[0].claim/x: \"in\" is not an operator here (has, is, exclude)\n" AT(
			  1,
			  47) ".allow.or[1].claim/x: \"not\" is not an operator here (has, is, exclude)\n" },
		{ "allow: {or: [{groups: {starts_with: a}}]}",
		  AT(1,
		     24) ".allow.or[0].groups: \"starts_with\" is not an operator here (has, is, exclude)\n" },
		{ "allow: {or: [{source_ip: {is: 10.0.0.1}}]}",
		  AT(1,
		     26) ".allow.or[0].source_ip: an IP address or a range like 10.0.0.0/8 is needed here\n" },
		{ "allow: {or: [{source_ip: 5}]}",
		  AT(1,
		     26) ".allow.or[0].source_ip: \"5\" is not an IP address or a range like 10.0.0.0/8\n" },
		{ "allow: {or: [{source_ip: [5, [10.0.0.1]]}]}",
		  AT(1, 27) ".allow.or[0].source_ip[0]: \"5\" is not an IP address or a range like 10.0.0.0/8\n" AT(
			  1,
			  30) ".allow.or[0].source_ip[1]: an IP address or a range like 10.0.0.0/8 is needed here\n" },
		{ "allow: {or: [{source_ip:}]}",
		  AT(1,
		     15) ".allow.or[0].source_ip: an IP address or a range like 10.0.0.0/8 is needed here\n" },
	};

	check(cases, ARRAY_LEN(cases));
}

static void test_certificates(void **state)
{
	static const struct problem_case cases[] = {
		{ "allow: {or: [{client_certificate: x}]}",
		  AT(1,
		     35) ".allow.or[0].client_certificate: a mapping is needed here (fingerprint, spki_hash, san_email, san_dns, san_uri)\n" },
		{ "allow: {or: [{client_certificate:}]}",
		  AT(1,
		     15) ".allow.or[0].client_certificate: a mapping is needed here (fingerprint, spki_hash, san_email, san_dns, san_uri)\n" },
		{ "allow: {or: [{client_certificate: [fingerprint]}]}",
		  AT(1,
		     35) ".allow.or[0].client_certificate: a mapping is needed here (fingerprint, spki_hash, san_email, san_dns, san_uri)\n" },
		{ "allow: {or: [{client_certificate: {fingerprint: 5}}]}",
		  AT(1,
		     49) ".allow.or[0].client_certificate.fingerprint: \"5\" is not a SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 upper-case bytes with ':'\n" },
		{ "allow: {or: [{client_certificate: {fingerprint: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}}]}",
		  AT(1,
		     49) ".allow.or[0].client_certificate.fingerprint: \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" is not a SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 upper-case bytes with ':'\n" },
		{ "allow: {or: [{client_certificate: {fingerprint: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]}}]}",
		  AT(1,
		     116) ".allow.or[0].client_certificate.fingerprint[1]: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is not a SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 upper-case bytes with ':'\n" },
		{ "allow: {or: [{client_certificate: {fingerprint: {is: x}}}]}",
		  AT(1,
		     49) ".allow.or[0].client_certificate.fingerprint: a SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 upper-case bytes with ':' is needed here\n" },
		{ "allow: {or: [{client_certificate: {fingerprint: 'ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab'}}]}",
		  AT(1,
		     49) ".allow.or[0].client_certificate.fingerprint: \"ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab\" is not a SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 upper-case bytes with ':'\n" },
		{ "allow: {or: [{client_certificate: {spki_hash: QQ==}}]}",
		  AT(1,
		     47) ".allow.or[0].client_certificate.spki_hash: \"QQ==\" is not the SHA-256 of a public key in base64\n" },
		{ "allow: {or: [{client_certificate: {spki_hash: [[x]]}}]}",
		  AT(1,
		     48) ".allow.or[0].client_certificate.spki_hash[0]: the SHA-256 of a public key in base64 is needed here\n" },
		{ "allow: {or: [{client_certificate: {san_email: {not_in: [a]}}}]}",
		  AT(1,
		     48) ".allow.or[0].client_certificate.san_email: \"not_in\" is not an operator here (is, not, in, starts_with, ends_with, contains)\n" },
		{ "allow: {or: [{client_certificate: {san_dns: {in: a}}}]}",
		  AT(1, 50) ".allow.or[0].client_certificate.san_dns.in: a list is needed here\n" },
		{ "allow: {or: [{client_certificate: {san_uri: {has: a}}}]}",
		  AT(1,
		     46) ".allow.or[0].client_certificate.san_uri: \"has\" is not an operator here (is, not, in, starts_with, ends_with, contains)\n" },
	};

	check(cases, ARRAY_LEN(cases));
}

/* Those of other gateways: named, so that nobody believes them to be in force. */
static void test_criteria_there_are_not(void **state)
{
	static const char *const refused[] = { "device",
					       "mcp_tool",
					       "pomerium_routes",
					       "record",
					       "ssh_ca",
					       "ssh_publickey",
					       "ssh_username",
					       "ssh_username_matches_claim",
					       "ssh_username_matches_email" };
	char text[128];
	char expected[256];

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		(void)snprintf(text, sizeof(text), "deny: {or: [{%s: {}}]}", refused[i]);
		(void)snprintf(expected, sizeof(expected),
			       AT(1, 14) ".deny.or[0].%s: %s is not supported by this gateway\n",
			       refused[i], refused[i]);
		const struct problem_case one = { text, expected };
		check(&one, 1);
	}
	static const struct problem_case unknown[] = {
		{ "allow: {or: [{client_certificate_ok: {}}]}",
		  AT(1,
		     15) ".allow.or[0].client_certificate_ok: \"client_certificate_ok\" is not a criterion\n" },
		{ "allow: {or: [{udp: {}}]}",
		  AT(1, 15) ".allow.or[0].udp: \"udp\" is not a criterion\n" },
		{ "allow: {or: [{http_host/x: {}}]}",
		  AT(1, 15) ".allow.or[0].http_host/x: http_host takes no \"/\"\n" },
		{ "allow: {or: [{date/x: {}}]}",
		  AT(1, 15) ".allow.or[0].date/x: date takes no \"/\"\n" },
	};
	check(unknown, ARRAY_LEN(unknown));
}

static void test_addresses(void **state)
{
	static const char *const texts[] = {
		"10.0.0.0/33",  "::/129",
		"10.0.0.0/",    "/8",
		"10.0.0.0/-1",  "10.0.0.0/+8",
		"10.0/8",       "10.0.0.0/8/8",
		"10.0.0.0/0x8", "10.0.0.0/0008",
		"10.0.0.0:80",  "fe80::1%lo",
		"localhost",    "",
		"010.0.0.1",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char text[128];
		char expected[256];

		(void)snprintf(text, sizeof(text), "allow: {or: [{source_ip: \"%s\"}]}", texts[i]);
		(void)snprintf(expected, sizeof(expected),
			       AT(1, 26) ".allow.or[0].source_ip: \"%s\" is not an IP address or a "
					 "range like 10.0.0.0/8\n",
			       texts[i]);
		const struct problem_case one = { text, expected };
		check(&one, 1);
	}
}

static void test_times(void **state)
{
	static const struct problem_case cases[] = {
		{ "allow: {or: [{date: 2026-01-01}]}",
		  AT(1, 21) ".allow.or[0].date: a mapping is needed here (after, before)\n" },
		{ "allow: {or: [{date: {}}]}",
		  AT(1, 21) ".allow.or[0].date: \"after\" or \"before\" is missing\n" },
		{ "allow: {or: [{date: {after: 2026-02-30}}]}",
		  AT(1, 29) ".allow.or[0].date.after: \"2026-02-30\" is not a date (2026-01-31, "
			    "2026-01-31T16:20:00Z)\n" },
		{ "allow: {or: [{date: {after: 2026-02-02, before: 2026-02-01}}]}",
		  AT(1, 21) ".allow.or[0].date: no moment is after the one and before the "
			    "other\n" },
		{ "allow: {or: [{date: {until: 2026-02-02}}]}",
		  AT(1, 22) ".allow.or[0].date: \"until\" is not known here (after, before)\n" },
		{ "allow: {or: [{day_of_week: mon-fry}]}",
		  AT(1, 28) ".allow.or[0].day_of_week: \"mon-fry\" is not a list of days "
			    "(mon-fri,sun; or * for all)\n" },
		{ "allow: {or: [{day_of_week: {days: mon}}]}",
		  AT(1, 28) ".allow.or[0].day_of_week: \"timezone\" is missing\n" },
		{ "allow: {or: [{time_of_day: {after: 08:00}}]}",
		  AT(1, 28) ".allow.or[0].time_of_day: \"timezone\" is missing\n" },
		{ "allow: {or: [{time_of_day: {timezone: Europe/Wien, after: 08:00}}]}",
		  AT(1, 39) ".allow.or[0].time_of_day.timezone: \"Europe/Wien\" is not a time zone "
			    "known here (Europe/Vienna, UTC, +02:00)\n" },
		{ "allow: {or: [{time_of_day: {timezone: UTC}}]}",
		  AT(1, 28) ".allow.or[0].time_of_day: \"after\" or \"before\" is missing\n" },
		{ "allow: {or: [{time_of_day: {timezone: UTC, after: 8:00, before: 8 am}}]}",
		  AT(1, 28) ".allow.or[0].time_of_day: no time of day is after the one and before "
			    "the other\n" },
		{ "allow: {or: [{time_of_day: {timezone: UTC, before: 00:00}}]}",
		  AT(1, 28) ".allow.or[0].time_of_day: no time of day is after the one and before "
			    "the other\n" },
	};

	check(cases, ARRAY_LEN(cases));
}

/* Legal, but not what somebody meant. */
static void test_warnings(void **state)
{
	static const struct problem_case cases[] = {
		{ "allow: {or: [{email: [a]}]}",
		  "W " AT(1, 22) ".allow.or[0].email: a list is compared as a whole and equals "
				 "nothing: use \"in\"\n" },
		{ "allow: {or: [{groups: [a]}]}",
		  "W " AT(1, 23) ".allow.or[0].groups: a list is compared as a whole and equals "
				 "nothing: write one criterion per value\n" },
		{ "allow: {or: [{user: 1234567}]}",
		  "W " AT(1, 21) ".allow.or[0].user: 1234567 is not a text and equals none: write "
				 "it in quotes\n" },
		{ "allow: {or: [{user: {in: [a, true]}}]}",
		  "W " AT(1, 30) ".allow.or[0].user.in[1]: true is not a text and equals none: "
				 "write it in quotes\n" },
		{ "allow: {or: [{email:}]}",
		  "W " AT(1, 15) ".allow.or[0].email: null equals nothing\n" },
		{ "allow: {or: [{claim: a}]}",
		  "W " AT(1, 15) ".allow.or[0].claim: no claim is named (claim/NAME)\n" },
		{ "allow: {or: [{claim/level: 5}, {claim/level: true}, {user: '7'}]}", "" },
		{ "allow: {action: x, or: [{ACCEPT: no}]}", "" },
	};

	check(cases, ARRAY_LEN(cases));
}

static void test_all_at_once(void **state)
{
	static const struct problem_case cases[] = {
		{ "- allow:\n"
		  "    and:\n"
		  "      - mail: a\n"
		  "      - domain: {startswith: b}\n"
		  "- deny:\n"
		  "    nand: []\n",
		  AT(3, 9) "[0].allow.and[0].mail: \"mail\" is not a criterion; did you mean "
			   "email?\n" AT(4, 18) "[0].allow.and[1].domain: \"startswith\" is not an "
						"operator here (is, not, in, not_in, starts_with, "
						"ends_with, contains)\n" AT(
							6,
							5) "[1].deny: \"nand\" is not an operator "
							   "(and, or, not, nor)\n" },
	};

	check(cases, ARRAY_LEN(cases));
}

static char *repeat(const char *head, const char *part, size_t count, const char *tail)
{
	struct buf text = BUF_INIT(1u << 20);

	(void)buf_append_str(&text, str_from(head));
	for (size_t i = 0; i < count; i++)
		(void)buf_append_str(&text, str_from(part));
	(void)buf_append_str(&text, str_from(tail));
	assert_false(text.is_overflown);
	return buf_take_string(&text);
}

static void assert_repeated(const char *part, size_t count, const char *head, const char *tail,
			    const char *expected)
{
	char *text = repeat(head, part, count, tail);
	char *problems = problems_of(str_from(text));

	assert_string_equal(problems, expected);
	mem_free(problems);
	mem_free(text);
}

static void test_limits(void **state)
{
	const char *rule = "- allow: {or: [accept: 1]}\n";

	assert_repeated(rule, POLICY_RULES_MAX, "", "", "");
	assert_repeated(rule, POLICY_RULES_MAX + 1, "", "",
			AT(1, 1) ": more than 1000 rules in one route\n");
	assert_repeated("{accept: 1},", POLICY_CRITERIA_MAX, "allow: {or: [", "]}", "");
	assert_repeated("{accept: 1},", POLICY_CRITERIA_MAX, "allow: {or: [", "{accept: 1}]}",
			AT(1, 13) ".allow.or: more than 10000 criteria in one route\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_criteria),
		cmocka_unit_test(test_matchers),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_criteria_there_are_not),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
