/*
 * fuzz_policy.c - the text of a policy compiles, or is refused with a reason
 *
 * Read as YAML and as JSON. Properties: exactly the refused have an error; nobody is let in whom the explanation does not let
 * in; who has no session and is let in did not satisfy a criterion of identity; and until the moment that is announced,
 * time alone changes nothing.
 */

#include <assert.h>

#include "config/yaml.h"
#include "policy/policy.h"
#include "tests/fuzz/fuzz.h"

#define NOW           1772625600 /* a Wednesday noon */
#define JUST_BEFORE   1774745999 /* the clock goes forward in Europe */
#define OPERAND_MAX   203
#define ALL_REASONS   (policy_reason_bit(REASON_COUNT) - 1)
#define IDENTITY_MASK policy_reason_bit(REASON_USER_UNAUTHENTICATED)

/* On some syntax errors the YAML library forgets a small buffer; that is not what is looked for here. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml\n";
}

static bool find_claim(const void *who, struct str name, size_t index, struct policy_value *ret)
{
	static const char *const values[] = { "infra", "5", "true", "" };

	if (!str_equal(name, STR("dept")) || index >= sizeof(values) / sizeof(values[0]))
		return false;
	*ret = (struct policy_value){
		.kind = POLICY_VALUE_UNTYPED,
		.text = str_from(values[index]),
	};
	return true;
}

struct steps {
	bool allow;
	bool deny;
};

static bool is_deny(const char *name)
{
	return str_ends_with(str_from(name), STR("deny")) ||
	       str_equal(str_from(name), STR("downstream_mtls"));
}

static void on_step(void *arg, const struct policy_step *step)
{
	struct steps *steps = arg;

	assert(step->depth <= 2 && step->name[0] && step->text.len <= OPERAND_MAX);
	assert(!(step->reasons & ~ALL_REASONS));
	if (step->depth > 0 || !step->is_true)
		return;
	if (is_deny(step->name))
		steps->deny = true;
	else
		steps->allow = true;
}

static void check_decision(const struct policy *policy, const struct policy_input *input,
			   struct decision *ret)
{
	struct steps steps = { 0 };
	struct decision d;

	policy_eval(policy, input, &d);
	policy_explain(policy, input, on_step, &steps);
	assert(d.allow == steps.allow && d.deny == steps.deny);
	assert(!((d.allow_reasons | d.deny_reasons) & ~ALL_REASONS));
	if (d.outcome == POLICY_ALLOW) {
		assert(d.allow && !d.deny && d.rule[0]);
		assert(!((d.allow_reasons | d.deny_reasons) & IDENTITY_MASK));
	}
	if (input->has_session)
		assert(d.outcome != POLICY_LOGIN);
	*ret = d;
}

static void check_same(const struct policy *policy, struct policy_input input, int64_t at_unix,
		       const struct decision *expected)
{
	struct decision d;

	input.now_unix = at_unix;
	check_decision(policy, &input, &d);
	assert(d.outcome == expected->outcome && d.allow_reasons == expected->allow_reasons &&
	       d.deny_reasons == expected->deny_reasons);
}

static void check_time(const struct policy *policy, const struct policy_input *input)
{
	int64_t now = input->now_unix;
	int64_t next = policy_next_change(policy, now);
	struct decision d;

	assert(next > now);
	check_decision(policy, input, &d);
	if (next == INT64_MAX)
		next = now + (int64_t)100 * 365 * 86400;
	check_same(policy, *input, next - 1, &d);
	check_same(policy, *input, now + (next - now) / 2, &d);
}

static void check_policy(const struct policy *policy)
{
	const struct str groups[] = { STR("eng"), STR("g1") };
	struct policy_input nobody = { .method = STR("GET"), .now_unix = NOW };
	struct policy_input somebody = {
		.has_session = true,
		.user_id = STR("u_alice"),
		.email = STR("alice@acme.test"),
		.groups = { .items = groups, .count = 2 },
		.claim = find_claim,
		.method = STR("CONNECT"),
		.host = STR("db.example.com:5432"),
		.certificate = { .is_checked = true, .is_presented = true, .is_valid = true },
		.now_unix = JUST_BEFORE,
	};

	assert(addr_from_ip(STR("203.0.113.9"), 0, &somebody.ip));
	check_time(policy, &nobody);
	check_time(policy, &somebody);
}

static void check(struct str text, enum yaml_form form)
{
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	if (yaml_parse(text, "fuzz", form, &yaml, &report) == 0) {
		size_t before = report.error_count;
		const struct config_route route = {
			.path = STR("routes[0]"),
			.access = { .policy = yaml_root(yaml) },
		};
		struct policy *policy = policy_compile(&route, POLICY_CERTIFICATE_REQUIRED,
						       &report);

		assert((policy == NULL) == (report.error_count > before));
		yaml_free(yaml); /* a policy keeps what it needs */
		if (policy)
			check_policy(policy);
		policy_free(policy);
	}
	for (size_t i = 0; i < report.count; i++)
		assert(report.problems[i].text[0]);
	report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(str_of(data, size), YAML_FORM_YAML);
	check(str_of(data, size), YAML_FORM_JSON);
	return 0;
}
