/*
 * policy_test.c - the settings that are no policy language, and what decided
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "policy/policy_testing.h"

static void assert_reasons(uint64_t reasons, const char *expected)
{
	char text[256];

	reasons_format(reasons, text, sizeof(text));
	assert_string_equal(text, expected);
}

#define LIST(...)                                                                                  \
	{                                                                                          \
		.items = (const struct str[]){ __VA_ARGS__ },                                      \
		.count = sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str)          \
	}

struct eval_case {
	const char *name;
	struct config_route route;
	struct policy_input input;
	const char *outcome;
	const char *reasons;
	const char *rule;
};

static const struct str eng_and_ops[] = { { "eng", 3 }, { "ops", 3 } };

#define ALICE                                                                                      \
	{                                                                                          \
		.has_session = true, .user_id = { "u1", 2 }, .email = { "alice@acme.test", 15 },   \
		.groups = {                                                                        \
			eng_and_ops,                                                               \
			2                                                                          \
		}                                                                                  \
	}
#define NO_POLICY                                                                                  \
	{                                                                                          \
		.access = {.allow_any_authenticated_user = false }                                 \
	}
#define NAMELESS                                                                                   \
	{                                                                                          \
		.has_session = true                                                                \
	}
#define TWO_AT                                                                                     \
	{                                                                                          \
		.has_session = true, .user_id = { "u2", 2 }, .email = { "a@b.test@c.test", 15 }    \
	}

static void check_cases(const struct eval_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct report report = { 0 };
		struct policy *policy = policy_compile(&cases[i].route, POLICY_CERTIFICATE_FREE,
						       &report);
		struct decision d;

		print_message("%s\n", cases[i].name);
		policy_eval(policy, &cases[i].input, &d);
		assert_string_equal(policy_outcome_name(d.outcome), cases[i].outcome);
		assert_reasons(d.allow_reasons, cases[i].reasons);
		assert_string_equal(d.rule, cases[i].rule);
		assert_int_equal(d.allow, d.outcome == POLICY_ALLOW);
		assert_false(d.deny);
		assert_int_equal(d.deny_reasons, 0);
		policy_free(policy);
	}
}

static void test_groups_and_merging(void **state)
{
	const struct eval_case cases[] = {
		{ "group of the user",
		  { .access = { .allowed_groups = LIST(STR("hr"), STR("ops")) } },
		  ALICE,
		  "allow",
		  "groups-ok",
		  "allowed_groups" },
		{ "group of nobody",
		  { .access = { .allowed_groups = LIST(STR("hr")) } },
		  ALICE,
		  "deny",
		  "groups-unauthorized",
		  "" },
		{ "groups compare whole",
		  { .access = { .allowed_groups = LIST(STR("en"), STR("engine")) } },
		  ALICE,
		  "deny",
		  "groups-unauthorized",
		  "" },
		{ "groups compare by case",
		  { .access = { .allowed_groups = LIST(STR("ENG")) } },
		  ALICE,
		  "deny",
		  "groups-unauthorized",
		  "" },
		{ "group without session",
		  { .access = { .allowed_groups = LIST(STR("eng")) } },
		  { .groups = { eng_and_ops, 2 } },
		  "login",
		  "user-unauthenticated",
		  "" },
		{ "first true setting is the rule",
		  { .access = { .allowed_groups = LIST(STR("eng")),
				.allowed_users = LIST(STR("u1")) } },
		  ALICE,
		  "allow",
		  "groups-ok,user-ok",
		  "allowed_groups" },
		{ "false members lose their reasons",
		  { .access = { .allowed_groups = LIST(STR("hr")),
				.allowed_users = LIST(STR("u1")) } },
		  ALICE,
		  "allow",
		  "user-ok",
		  "allowed_users" },
		{ "all false: all reasons",
		  { .access = { .allowed_groups = LIST(STR("hr")),
				.allowed_users = LIST(STR("x")),
				.allowed_domains = LIST(STR("other.test")) } },
		  ALICE,
		  "deny",
		  "domain-unauthorized,email-unauthorized,groups-unauthorized,user-unauthorized",
		  "" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_addresses_and_sessions(void **state)
{
	const struct eval_case cases[] = {
		{ "e-mails compare by case",
		  { .access = { .allowed_users = LIST(STR("Alice@acme.test")) } },
		  ALICE,
		  "deny",
		  "email-unauthorized,user-unauthorized",
		  "" },
		{ "no sub-domains",
		  { .access = { .allowed_domains = LIST(STR("test"), STR("mail.acme.test")) } },
		  ALICE,
		  "deny",
		  "domain-unauthorized",
		  "" },
		{ "domain between first and second @",
		  { .access = { .allowed_domains = LIST(STR("b.test")) } },
		  TWO_AT,
		  "allow",
		  "domain-ok",
		  "allowed_domains" },
		{ "domain behind the second @ does not count",
		  { .access = { .allowed_domains = LIST(STR("c.test")) } },
		  TWO_AT,
		  "deny",
		  "domain-unauthorized",
		  "" },
		{ "session without user is not an authenticated user",
		  { .access = { .allow_any_authenticated_user = true } },
		  NAMELESS,
		  "deny",
		  "user-unauthorized",
		  "" },
		{ "an empty entry matches nobody",
		  { .access = { .allowed_users = LIST(STR("")),
				.allowed_domains = LIST(STR("")) } },
		  NAMELESS,
		  "deny",
		  "domain-unauthorized,email-unauthorized,user-unauthorized",
		  "" },
		{ "an empty entry does not let the anonymous in",
		  { .access = { .allowed_users = LIST(STR("")) } },
		  { 0 },
		  "login",
		  "user-unauthenticated",
		  "" },
		{ "public",
		  { .access = { .allow_public_unauthenticated_access = true } },
		  { 0 },
		  "allow",
		  "accept",
		  "allow_public_unauthenticated_access" },
		{ "no policy", NO_POLICY, ALICE, "deny", "", "" },
		{ "no policy, nobody", NO_POLICY, { 0 }, "deny", "", "" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_reason_names_are_sorted(void **state)
{
	for (unsigned i = 1; i < REASON_COUNT; i++)
		assert_true(strcmp(policy_reason_name(i - 1), policy_reason_name(i)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups_and_merging),
		cmocka_unit_test(test_addresses_and_sessions),
		cmocka_unit_test(test_reason_names_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
