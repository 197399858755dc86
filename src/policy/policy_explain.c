/*
 * policy_explain.c - every step of an evaluation, for people
 */

#include "policy/policy_parts.h"

/* Who listens. */
struct listener {
	const struct policy_input *input;
	void (*on_step)(void *arg, const struct policy_step *step);
	void *arg;
};

static void tell(const struct listener *l, struct policy_step step, struct verdict v)
{
	step.is_true = v.holds;
	step.reasons = v.reasons;
	l->on_step(l->arg, &step);
}

static void explain_group(const struct listener *l, const struct group *g)
{
	tell(l, (struct policy_step){ .depth = 1, .name = operator_name(g->operator), .at = g->at },
	     group_judge(g, l->input));
	for (size_t i = 0; i < g->count; i++) {
		const struct member *m = &g->members[i];

		tell(l,
		     (struct policy_step){
			     .depth = 2,
			     .name = m->name,
			     .text = m->text,
			     .at = m->at,
		     },
		     member_judge(m, l->input));
	}
}

void policy_explain(const struct policy *policy, const struct policy_input *input,
		    void (*on_step)(void *arg, const struct policy_step *step), void *arg)
{
	const struct listener l = { .input = input, .on_step = on_step, .arg = arg };

	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];

		tell(&l, (struct policy_step){ .name = rule->name, .at = rule->at },
		     rule_judge(rule, input));
		for (size_t k = 0; k < rule->count; k++)
			explain_group(&l, &rule->groups[k]);
	}
}
