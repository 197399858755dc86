/*
 * policy_vectors_test.c - the 281 vectors of the language
 *
 * Each is read as JSON and as YAML. Where this gateway means to differ from the reference, a table says so, and the number of
 * vectors of each kind is exact: none is passed over.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "policy/policy_testing.h"

#define VECTORS_COUNT 281

/* Criteria without facts here: refused when the policy is read, whatever the vector expects. */
static const struct {
	const char *criterion; /* the beginning of its name */
	unsigned count;
} refused[] = {
	{ "device", 17 },         { "ssh_", 8 }, { "mcp_tool", 5 }, { "record", 1 },
	{ "pomerium_routes", 1 },
};

/* What the reference refuses and we have. */
static const char *const added[] = {
	"bad-not-in-core-date",
	"bad-not-in-core-day_of_week",
	"bad-not-in-core-time_of_day",
};

/* Other results: nobody without a session satisfies a criterion of identity, and no tunnel begins with a preflight. */
static const struct {
	const char *id;
	bool allow;
	const char *allow_reasons;
	bool deny;
	const char *deny_reasons;
	const char *outcome;
} stricter[] = {
	{ "email-not-anon", false, "user-unauthenticated", false, "", "login" },
	{ "email-not-in-anon", false, "user-unauthenticated", false, "", "login" },
	{ "email-empty-prefix-anon", false, "user-unauthenticated", false, "", "login" },
	{ "email-empty-matcher-anon", false, "user-unauthenticated", false, "", "login" },
	{ "email-deny-not-anon", true, "accept", false, "user-unauthenticated", "login" },
	{ "claim-exclude-anon", false, "user-unauthenticated", false, "", "login" },
	{ "legacy-cors", false, "user-unauthenticated", false, "", "login" },
};

struct tally {
	unsigned refused[ARRAY_LEN(refused)];
	unsigned added;
	unsigned stricter;
	unsigned as_expected;
};

/* ---- from a vector to a policy ---- */

struct compiled {
	struct policy *policy; /* NULL: refused */
	bool names_unsupported;
};

static void compile_access(const struct config_access *access, const struct vector_facts *facts,
			   struct compiled *ret)
{
	const struct config_route route = { .path = STR("routes[0]"), .access = *access };
	struct report report = { 0 };

	ret->policy = policy_compile(&route, facts->certificates, &report);
	assert_int_equal(ret->policy == NULL, report.error_count > 0);
	if (report.error_count)
		ret->names_unsupported = strstr(report.problems[0].text,
						"is not supported by this gateway") != NULL;
	report_done(&report);
}

/* By way of the configuration, which refuses settings that contradict each other. */
static void compile_route(const json_t *route, enum yaml_form form,
			  const struct vector_facts *facts, struct compiled *ret)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)route);
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	json_object_set_new(copy, "from", json_string("tcp+https://db.example.com:5432"));
	json_object_set_new(copy, "to", json_string("tcp://127.0.0.1:5432"));
	json_t *file = json_pack("{s:[o]}", "routes", copy);
	char *text = json_dumps(file, 0);
	(void)config_parse(str_from(text), form == YAML_FORM_JSON ? "vector.json" : "vector.yaml",
			   &config, &report, &e);
	if (config)
		compile_access(&config->routes[0].access, facts, ret);
	config_free(config); /* a policy keeps what it needs */
	report_done(&report);
	free(text);
	json_decref(file);
}

static void compile_policy(const json_t *policy, enum yaml_form form,
			   const struct vector_facts *facts, struct compiled *ret)
{
	char *text = json_dumps(policy, JSON_ENCODE_ANY);
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	assert_int_equal(yaml_parse(str_from(text), "vector.json", form, &yaml, &report), 0);
	compile_access(&(struct config_access){ .policy = yaml_root(yaml) }, facts, ret);
	yaml_free(yaml);
	report_done(&report);
	free(text);
}

/* ---- what is expected ---- */

static void join(const json_t *names, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < json_array_size(names); i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? "," : "",
					json_string_value(json_array_get(names, i)));
}

static void assert_reasons(uint64_t reasons, const char *expected)
{
	char text[256];

	reasons_format(reasons, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void assert_as_expected(const json_t *expect, const struct decision *d)
{
	char reasons[256];

	assert_int_equal(d->allow, json_is_true(vectors_get(expect, "allow")));
	assert_int_equal(d->deny, json_is_true(vectors_get(expect, "deny")));
	join(vectors_get(expect, "allow_reasons"), reasons, sizeof(reasons));
	assert_reasons(d->allow_reasons, reasons);
	join(vectors_get(expect, "deny_reasons"), reasons, sizeof(reasons));
	assert_reasons(d->deny_reasons, reasons);
	assert_string_equal(policy_outcome_name(d->outcome), vectors_str(expect, "outcome").at);
	assert_int_equal(outcome_status(d), vectors_int(expect, "status"));
}

static void assert_stricter(size_t i, const struct decision *d)
{
	assert_int_equal(d->allow, stricter[i].allow);
	assert_int_equal(d->deny, stricter[i].deny);
	assert_reasons(d->allow_reasons, stricter[i].allow_reasons);
	assert_reasons(d->deny_reasons, stricter[i].deny_reasons);
	assert_string_equal(policy_outcome_name(d->outcome), stricter[i].outcome);
}

/* ---- which kind a vector is of ---- */

/* Some key anywhere in it begins so. */
static bool mentions(const json_t *value, const char *name)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item) if (mentions(item, name)) return true;
		return false;
	}
	json_object_foreach((json_t *)(uintptr_t)value, key,
			    item) if (strncmp(key, name, strlen(name)) == 0 ||
				      mentions(item, name)) return true;
	return false;
}

static bool is_refused(const json_t *vector, struct tally *tally)
{
	const json_t *policy = json_object_get(vector, "policy");

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (!mentions(policy, refused[i].criterion))
			continue;
		tally->refused[i]++;
		return true;
	}
	return false;
}

static bool is_added(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(added); i++)
		if (strcmp(id, added[i]) == 0)
			return true;
	return false;
}

static size_t find_stricter(const char *id)
{
	size_t i = 0;

	while (i < ARRAY_LEN(stricter) && strcmp(id, stricter[i].id) != 0)
		i++;
	return i;
}

static void check_vector(const json_t *file, const json_t *vector, enum yaml_form form,
			 struct tally *tally)
{
	const char *id = vectors_str(vector, "id").at;
	const json_t *expect = vectors_get(vector, "expect");
	size_t strict = find_stricter(id);
	struct vector_facts facts;
	struct compiled c = { 0 };
	struct decision d;

	print_message("%s\n", id);
	vector_facts_init(&facts, file, vector);
	if (json_object_get(vector, "route"))
		compile_route(json_object_get(vector, "route"), form, &facts, &c);
	else
		compile_policy(vectors_get(vector, "policy"), form, &facts, &c);
	if (is_refused(vector, tally)) {
		assert_null(c.policy);
		assert_true(c.names_unsupported);
		return;
	}
	if (is_added(id)) {
		assert_non_null(c.policy);
		tally->added++;
		policy_free(c.policy);
		return;
	}
	if (json_is_true(json_object_get(expect, "config_error"))) {
		assert_null(c.policy);
		tally->as_expected++;
		return;
	}
	assert_non_null(c.policy);
	policy_eval(c.policy, &facts.input, &d);
	if (strict < ARRAY_LEN(stricter)) {
		assert_stricter(strict, &d);
		tally->stricter++;
	} else {
		assert_as_expected(expect, &d);
		tally->as_expected++;
	}
	policy_free(c.policy);
}

static void check_vectors(enum yaml_form form)
{
	json_t *file = vectors_load("policy.json");
	const json_t *vectors = vectors_get(file, "vectors");
	struct tally tally = { 0 };
	unsigned refused_count = 0;

	assert_int_equal(json_array_size(vectors), VECTORS_COUNT);
	for (size_t i = 0; i < VECTORS_COUNT; i++)
		check_vector(file, json_array_get(vectors, i), form, &tally);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		assert_int_equal(tally.refused[i], refused[i].count);
		refused_count += refused[i].count;
	}
	assert_int_equal(tally.added, ARRAY_LEN(added));
	assert_int_equal(tally.stricter, ARRAY_LEN(stricter));
	assert_int_equal(tally.as_expected,
			 VECTORS_COUNT - refused_count - ARRAY_LEN(added) - ARRAY_LEN(stricter));
	assert_int_equal(tally.as_expected, 239);
	json_decref(file);
}

static void test_as_json(void **state)
{
	check_vectors(YAML_FORM_JSON);
}

static void test_as_yaml(void **state)
{
	check_vectors(YAML_FORM_YAML);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_json),
		cmocka_unit_test(test_as_yaml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
