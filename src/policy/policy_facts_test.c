/*
 * policy_facts_test.c - one criterion, one set of facts: what the vectors leave out
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "policy/policy_testing.h"

static struct policy *compile(const char *text, enum policy_certificate_rule certificates)
{
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	assert_int_equal(yaml_parse(str_from(text), "p.yaml", YAML_FORM_YAML, &yaml, &report), 0);
	const struct config_route route = { .access = { .policy = yaml_root(yaml) } };
	struct policy *policy = policy_compile(&route, certificates, &report);
	if (!policy)
		fail_msg("%s", report.problems[0].text);
	report_done(&report);
	yaml_free(yaml);
	return policy;
}

/* Whether {allow: {or: [<criterion>]}} allows. */
static bool holds(const char *criterion, const struct policy_input *input)
{
	char text[512];
	struct decision d;

	(void)snprintf(text, sizeof(text), "allow: {or: [{%s}]}", criterion);
	struct policy *policy = compile(text, POLICY_CERTIFICATE_FREE);
	policy_eval(policy, input, &d);
	assert_int_equal(d.allow, d.outcome == POLICY_ALLOW);
	assert_string_equal(d.rule, d.allow ? "policy.allow" : "");
	policy_free(policy);
	return d.allow;
}

struct fact_case {
	const char *criterion;
	bool holds;
};

static void check(const struct fact_case *cases, size_t count, const struct policy_input *input)
{
	for (size_t i = 0; i < count; i++)
		if (holds(cases[i].criterion, input) != cases[i].holds)
			fail_msg("%s: not %s", cases[i].criterion,
				 cases[i].holds ? "held" : "refused");
}

/* ---- claims ---- */

struct claim_fact {
	const char *name;
	const char *values[3];
};

static const struct claim_fact claim_facts[] = {
	{ "level", { "5" } },          { "long", { "9007199254740993" } },
	{ "price", { "5.50" } },       { "zip", { "01234" } },
	{ "verified", { "true" } },    { "familyName", { "Smith" } },
	{ "familyname", { "smith" } }, { "dept", { "infra" } },
	{ "empty", { "" } },           { "roles", { "a", "b" } },
};

static bool find_claim(const void *who, struct str name, size_t index, struct policy_value *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(claim_facts); i++) {
		const struct claim_fact *claim = &claim_facts[i];

		if (!str_equal(name, str_from(claim->name)))
			continue;
		if (index >= ARRAY_LEN(claim->values) || !claim->values[index])
			return false;
		*ret = (struct policy_value){
			.kind = POLICY_VALUE_UNTYPED,
			.text = str_from(claim->values[index]),
		};
		return true;
	}
	return false;
}

static void test_untyped_claims(void **state)
{
	static const struct fact_case cases[] = {
		{ "claim/level: 5", true },
		{ "claim/level: 5.0", true },
		{ "claim/level: 5e0", true },
		{ "claim/level: '5'", true },
		{ "claim/level: '5.0'", false },
		{ "claim/level: 6", false },
		{ "claim/long: 9007199254740993", true },
		{ "claim/long: 9007199254740992", false },
		{ "claim/price: 5.5", true },
		{ "claim/price: '5.5'", false },
		{ "claim/zip: 1234", false },
		{ "claim/zip: 01234", true },
		{ "claim/verified: true", true },
		{ "claim/verified: 'true'", true },
		{ "claim/verified: false", false },
		{ "claim/level: true", false },
		{ "claim/empty: ''", true },
		{ "claim/empty: false", false },
		{ "claim/empty: 0", false },
		{ "claim/roles: {has: b}", true },
		{ "claim/roles: {is: b}", false },
		{ "claim/roles: {has: a, exclude: c}", true },
		{ "claim/roles: {has: a, exclude: b}", false },
		{ "claim/roles: {}", true },
		{ "claim/nothing: {exclude: x}", true },
		{ "claim/nothing: ''", false },
	};
	const struct policy_input input = { .has_session = true, .claim = find_claim };

	check(cases, ARRAY_LEN(cases), &input);
}

static void test_case_of_claims(void **state)
{
	static const struct fact_case cases[] = {
		{ "claim/familyName: Smith", true },
		{ "claim/familyName: smith", false },
		{ "claim/familyname: smith", true },
		{ "claim/FAMILYNAME: smith", true },
		{ "claim/FAMILYNAME: Smith", false },
		{ "CLAIM/familyName: Smith", true },
		{ "claim/Dept: infra", true },
		{ "claim/Dept: {is: infra}", true },
		{ "claim/Dept: {exclude: infra}", false },
	};
	const struct policy_input input = { .has_session = true, .claim = find_claim };

	check(cases, ARRAY_LEN(cases), &input);
	assert_false(holds("claim/dept: infra", &(struct policy_input){ .has_session = true }));
	assert_false(holds("claim/dept: infra", &(struct policy_input){ .claim = find_claim }));
}

/* ---- texts ---- */

static void test_texts(void **state)
{
	static const struct fact_case cases[] = {
		{ "http_host: db.example.com:5432", true },
		{ "http_host: {ends_with: ':5432'}", true },
		{ "http_host: {not: db.example.com:5432}", false },
		{ "http_host: DB.example.com:5432", true },
		{ "http_host: {in: [Z, A, DB.EXAMPLE.com:5432]}", true },
		{ "http_host: {starts_with: dB.eX}", true },
		{ "http_host: {not: dB.eXample.com:5432}", false },
		{ "http_host: db.example.com", false },
		{ "http_method: CONNECT", true },
		{ "http_path: ''", true },
		{ "http_path: {not: ''}", false },
		{ "cors_preflight: true", false },
		{ "email: {in: [z, c, a@b, m, '', b]}", true },
		{ "email: {in: [z, c, a@bc, a@, m, b]}", false },
		{ "email: {not_in: [z, c, m, b]}", true },
		{ "email: {in: [1, true, null, a@b]}", true },
		{ "email: {not_in: [1, true, null]}", true },
		{ "email: {not: [a@b]}", true },
		{ "email: {contains: '@'}", true },
		{ "email: {starts_with: a@bc}", false },
		{ "domain: b", true },
		{ "user: {starts_with: ''}", true },
		{ "groups: {exclude: staff}", false },
	};
	const struct policy_input input = {
		.has_session = true,
		.user_id = STR("u1"),
		.email = STR("a@b"),
		.method = STR("CONNECT"),
		.host = STR("db.EXAMPLE.com:5432"),
	};

	check(cases, ARRAY_LEN(cases), &input);
	assert_false(holds("user: {starts_with: ''}",
			   &(struct policy_input){ .has_session = true })); /* no user id */
}

/* Every element of lists of every length, and what lies between them. */
static void test_long_lists(void **state)
{
	char criterion[512];

	for (int count = 0; count < 20; count++) {
		size_t len = (size_t)snprintf(criterion, sizeof(criterion), "email: {in: [");

		for (int i = count; i > 0; i--)
			len += (size_t)snprintf(criterion + len, sizeof(criterion) - len, "e%02d%s",
						i * 2, i > 1 ? ", " : "");
		(void)snprintf(criterion + len, sizeof(criterion) - len, "]}");
		for (int i = 1; i <= count * 2 + 1; i++) {
			char email[8];

			(void)snprintf(email, sizeof(email), "e%02d", i);
			assert_int_equal(holds(criterion,
					       &(struct policy_input){ .has_session = true,
								       .email = str_from(email) }),
					 i % 2 == 0);
		}
	}
}

static void test_certificates(void **state)
{
	static const struct fact_case cases[] = {
		{ "client_certificate: {}", false },
		{ "client_certificate: {san_dns: {}}", false },
		{ "invalid_client_certificate: 1", false },
	};
	const struct policy_input input = { .certificate = { .is_valid = true } };

	check(cases, ARRAY_LEN(cases), &input); /* none presented */
}

/* ---- addresses ---- */

static void check_ip(const char *ip, const struct fact_case *cases, size_t count)
{
	struct policy_input input = { 0 };

	if (ip)
		assert_true(addr_from_ip(str_from(ip), 443, &input.ip));
	check(cases, count, &input);
}

static void test_addresses(void **state)
{
	static const struct fact_case ip4[] = {
		{ "source_ip: 10.1.2.3", true },
		{ "source_ip: 10.1.2.3/32", true },
		{ "source_ip: 10.1.2.2/31", true },
		{ "source_ip: 10.1.2.4/31", false },
		{ "source_ip: 10.0.0.0/13", true },
		{ "source_ip: 10.8.0.0/13", false },
		{ "source_ip: 0.0.0.0/0", true },
		{ "source_ip: '::/0'", false },
		{ "source_ip: '::ffff:0.0.0.0/96'", true },
		{ "source_ip: '::ffff:10.1.2.3'", true },
		{ "source_ip: ['2001:db8::/32', 192.0.2.0/24]", false },
	};
	static const struct fact_case ip6[] = {
		{ "source_ip: '2001:db8::/32'", true },  { "source_ip: '2001:db8::1'", true },
		{ "source_ip: '2001:db8::/127'", true }, { "source_ip: '2001:db8::2/127'", false },
		{ "source_ip: '::/0'", true },           { "source_ip: 0.0.0.0/0", false },
		{ "source_ip: '2001:db9::/31'", true },
	};
	static const struct fact_case unknown[] = {
		{ "source_ip: 0.0.0.0/0", false },
		{ "source_ip: '::/0'", false },
		{ "source_ip: 0.0.0.0", false },
	};

	check_ip("10.1.2.3", ip4, ARRAY_LEN(ip4));
	check_ip("::ffff:10.1.2.3", ip4, ARRAY_LEN(ip4));
	check_ip("2001:db8::1", ip6, ARRAY_LEN(ip6));
	check_ip(NULL, unknown, ARRAY_LEN(unknown));
}

/* ---- what decided ---- */

struct rule_case {
	const char *policy;
	enum policy_certificate_rule certificates;
	const char *outcome;
	const char *rule;
};

static void test_deciding_rule(void **state)
{
	static const struct rule_case cases[] = {
		{ "- allow: {or: [{reject: 1}]}\n- allow: {or: [{accept: 1}]}\n",
		  POLICY_CERTIFICATE_FREE, "allow", "policy[1].allow" },
		{ "- deny: {or: [{reject: 1}]}\n- allow: {or: [{accept: 1}]}\n  deny: {or: [{accept: "
		  "1}]}\n",
		  POLICY_CERTIFICATE_FREE, "deny", "policy[1].deny" },
		{ "allow: {or: [{accept: 1}]}", POLICY_CERTIFICATE_REQUIRED, "deny",
		  "downstream_mtls" },
		{ "allow: {or: [{authenticated_user: 1}]}", POLICY_CERTIFICATE_REQUIRED, "deny",
		  "downstream_mtls" },
		{ "allow: {or: [{accept: 1}]}\ndeny: {or: [{invalid_client_certificate: 1}]}\n",
		  POLICY_CERTIFICATE_FREE, "deny", "policy.deny" },
		{ "allow: {or: [{authenticated_user: 1}]}", POLICY_CERTIFICATE_FREE, "login", "" },
		{ "allow: {or: [{reject: 1}]}", POLICY_CERTIFICATE_FREE, "deny", "" },
	};
	const struct policy_input input = { .certificate = { .is_checked = true } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy *policy = compile(cases[i].policy, cases[i].certificates);
		struct decision d;

		policy_eval(policy, &input, &d);
		assert_string_equal(policy_outcome_name(d.outcome), cases[i].outcome);
		assert_string_equal(d.rule, cases[i].rule);
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_untyped_claims), cmocka_unit_test(test_case_of_claims),
		cmocka_unit_test(test_texts),          cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_deciding_rule),  cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
