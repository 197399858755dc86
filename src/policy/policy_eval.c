/*
 * policy_eval.c - merging results, and the decision (policy-language.md 2, 3)
 *
 * Every operator looks at its members as those that hold and those that do not: and, nor ask whether one does not; or, not
 * whether one does. Its reasons are those of the side that made it what it is. Rules of one action are merged like the
 * members of an "or", and so are the operators of a rule.
 */

#include "policy/policy_parts.h"

struct merge {
	bool any_holds;
	bool any_fails;
	uint64_t hold_reasons;
	uint64_t fail_reasons;
};

static void merge_add(struct merge *m, struct verdict v)
{
	if (v.holds) {
		m->any_holds = true;
		m->hold_reasons |= v.reasons;
		return;
	}
	m->any_fails = true;
	m->fail_reasons |= v.reasons;
}

static struct verdict merge_or(const struct merge *m)
{
	return (struct verdict){
		.holds = m->any_holds,
		.reasons = m->any_holds ? m->hold_reasons : m->fail_reasons,
	};
}

static struct verdict merge_and(const struct merge *m)
{
	return (struct verdict){
		.holds = !m->any_fails,
		.reasons = m->any_fails ? m->fail_reasons : m->hold_reasons,
	};
}

static struct verdict invert(struct verdict v)
{
	return (struct verdict){ .holds = !v.holds, .reasons = v.reasons };
}

struct verdict group_judge(const struct group *g, const struct policy_input *input)
{
	struct merge m = { 0 };

	for (size_t i = 0; i < g->count; i++)
		merge_add(&m, member_judge(&g->members[i], input));
	switch (g->operator) {
	case OPERATOR_AND:
		return merge_and(&m);
	case OPERATOR_OR:
		return merge_or(&m);
	case OPERATOR_NOT:
		return invert(merge_or(&m));
	case OPERATOR_NOR:
		return invert(merge_and(&m));
	}
	return (struct verdict){ 0 };
}

struct verdict rule_judge(const struct rule *r, const struct policy_input *input)
{
	struct merge m = { 0 };

	for (size_t i = 0; i < r->count; i++)
		merge_add(&m, group_judge(&r->groups[i], input));
	return merge_or(&m);
}

/* ---- the decision ---- */

#define CERTIFICATE_REASONS                                                                        \
	(policy_reason_bit(REASON_CLIENT_CERTIFICATE_REQUIRED) |                                   \
	 policy_reason_bit(REASON_INVALID_CLIENT_CERTIFICATE))
#define LOGIN_REASONS policy_reason_bit(REASON_USER_UNAUTHENTICATED)

/* The rules that may turn out to have decided: the first of each kind. */
struct deciders {
	const char *allow;
	const char *deny;
	const char *certificate;
};

static void note_decider(struct deciders *d, const struct rule *rule, struct verdict v)
{
	if (rule->is_deny && !d->certificate && v.reasons & CERTIFICATE_REASONS)
		d->certificate = rule->name;
	if (!v.holds)
		return;
	if (rule->is_deny && !d->deny)
		d->deny = rule->name;
	if (!rule->is_deny && !d->allow)
		d->allow = rule->name;
}

/* policy-language.md 3; the order is the contract. */
static enum policy_outcome decide(const struct decision *d, const struct deciders *deciders,
				  const char **ret_rule)
{
	if (d->deny_reasons & CERTIFICATE_REASONS) {
		*ret_rule = deciders->certificate;
		return POLICY_DENY;
	}
	if ((d->allow_reasons | d->deny_reasons) & LOGIN_REASONS)
		return POLICY_LOGIN;
	if (d->deny) {
		*ret_rule = deciders->deny;
		return POLICY_DENY;
	}
	if (!d->allow)
		return POLICY_DENY;
	*ret_rule = deciders->allow;
	return POLICY_ALLOW;
}

void policy_eval(const struct policy *policy, const struct policy_input *input,
		 struct decision *ret)
{
	struct deciders deciders = { 0 };
	struct merge allow = { 0 };
	struct merge deny = { 0 };
	const char *rule = NULL;

	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *r = &policy->rules[i];
		struct verdict v = rule_judge(r, input);

		merge_add(r->is_deny ? &deny : &allow, v);
		note_decider(&deciders, r, v);
	}
	struct verdict allowed = merge_or(&allow);
	struct verdict denied = merge_or(&deny);
	struct decision d = {
		.allow = allowed.holds,
		.deny = denied.holds,
		.allow_reasons = allowed.reasons,
		.deny_reasons = denied.reasons,
	};
	d.outcome = decide(&d, &deciders, &rule);
	d.rule = rule ? rule : "";
	*ret = d;
}

/* ---- time ---- */

static int64_t rule_next_change(const struct rule *rule, int64_t now_unix)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < rule->count; i++) {
		for (size_t k = 0; k < rule->groups[i].count; k++) {
			int64_t at = member_next_change(&rule->groups[i].members[k], now_unix);

			next = at < next ? at : next;
		}
	}
	return next;
}

int64_t policy_next_change(const struct policy *policy, int64_t now_unix)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; policy->has_time && i < policy->count; i++) {
		int64_t at = rule_next_change(&policy->rules[i], now_unix);

		next = at < next ? at : next;
	}
	return next;
}
