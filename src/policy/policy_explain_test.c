/*
 * policy_explain_test.c - the steps of an evaluation, in the order of the file
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "policy/policy_testing.h"

static void write_step(void *arg, const struct policy_step *step)
{
	struct buf *out = arg;
	char reasons[256];

	reasons_format(step->reasons, reasons, sizeof(reasons));
	(void)buf_printf(out, "%u %s %s", step->depth, step->is_true ? "yes" : "no", step->name);
	if (step->text.len)
		(void)buf_printf(out, " = %.*s", STR_FMT(step->text));
	(void)buf_printf(out, " (%s) @%u:%u\n", reasons, step->at.line, step->at.column);
}

static char *explain(const struct config_access *access, enum policy_certificate_rule certificates,
		     const struct policy_input *input)
{
	const struct config_route route = { .access = *access };
	struct report report = { 0 };
	struct buf out = BUF_INIT(1u << 16);
	struct policy *policy = policy_compile(&route, certificates, &report);

	assert_non_null(policy);
	policy_explain(policy, input, write_step, &out);
	policy_free(policy);
	report_done(&report);
	return buf_take_string(&out);
}

static void test_steps(void **state)
{
	static const char text[] = "policy:\n"
				   "  - allow:\n"
				   "      and:\n"
				   "        - email: {ends_with: '@acme.test'}\n"
				   "        - claim/Dept: [a, \"b\", {c: ~}]\n"
				   "      not: []\n"
				   "      or: [{accept:}]\n"
				   "  - deny: {nor: [reject: \"1\\n2\\t3\"]}\n"
				   "allowed_idp_claims: {Dept: infra, level: [5]}\n";
	static const char expected[] =
		"0 no allowed_idp_claims (claim-unauthorized) @0:0\n"
		"1 no or (claim-unauthorized) @0:0\n"
		"2 no claim/Dept = infra (claim-unauthorized) @9:22\n"
		"2 no claim/level = [5] (claim-unauthorized) @9:35\n"
		"0 no allowed_users (email-unauthorized,user-unauthorized) @0:0\n"
		"1 no or (email-unauthorized,user-unauthorized) @0:0\n"
		"2 no user = [u1, u2] (user-unauthorized) @0:0\n"
		"2 no email = [u1, u2] (email-unauthorized) @0:0\n"
		"0 yes policy[0].allow (accept) @2:5\n"
		"1 no and (claim-unauthorized) @3:7\n"
		"2 yes email = {ends_with: \"@acme.test\"} (email-ok) @4:11\n"
		"2 no claim/Dept = [a, \"b\", {c: null}] (claim-unauthorized) @5:11\n"
		"1 yes or (accept) @7:7\n"
		"2 yes accept = null (accept) @7:13\n"
		"0 yes policy[1].deny (reject) @8:5\n"
		"1 yes nor (reject) @8:12\n"
		"2 no reject = \"1?2?3\" (reject) @8:18\n"
		"0 yes downstream_mtls (client-certificate-required) @0:0\n"
		"1 yes or (client-certificate-required) @0:0\n"
		"2 yes invalid_client_certificate = true (client-certificate-required) @0:0\n";
	const struct str users[] = { STR("u1"), STR("u2") };
	const struct policy_input input = {
		.has_session = true,
		.email = STR("a@acme.test"),
		.certificate = { .is_checked = true },
	};
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	assert_int_equal(yaml_parse(str_from(text), "p.yaml", YAML_FORM_YAML, &yaml, &report), 0);
	const struct config_access access = {
		.allowed_users = { .items = users, .count = ARRAY_LEN(users) },
		.allowed_idp_claims = yaml_get(yaml_root(yaml), STR("allowed_idp_claims")),
		.policy = yaml_get(yaml_root(yaml), STR("policy")),
	};
	char *steps = explain(&access, POLICY_CERTIFICATE_REQUIRED, &input);
	assert_string_equal(steps, expected);
	mem_free(steps);
	yaml_free(yaml);
	report_done(&report);
}

static void test_long_operands_are_cut(void **state)
{
	struct str users[1000];
	const struct config_access access = {
		.allowed_users = { .items = users, .count = ARRAY_LEN(users) },
	};
	const struct policy_input input = { .has_session = true, .user_id = STR("user") };

	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		users[i] = STR("user");
	char *steps = explain(&access, POLICY_CERTIFICATE_FREE, &input);
	assert_true(strlen(steps) < 800);
	assert_non_null(strstr(steps, "2 yes user = [user, user"));
	assert_non_null(strstr(steps, "... (user-ok)"));
	mem_free(steps);
}

static void test_nothing(void **state)
{
	char *steps = explain(&(struct config_access){ 0 }, POLICY_CERTIFICATE_FREE,
			      &(struct policy_input){ 0 });

	assert_string_equal(steps, "");
	mem_free(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_long_operands_are_cut),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
