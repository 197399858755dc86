#include "proxy/authorize.h"

#include "proxy/audit.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"

static struct policy_input gather_facts(const struct exchange *x)
{
	const struct identity *who;

	if (!x->session)
		return (struct policy_input){ .has_session = false };
	who = x->session->who;
	return (struct policy_input){
		.has_session = true,
		.user_id = who->user_id,
		.email = who->email,
		.groups = { .items = who->groups, .count = who->group_count },
	};
}

/* Our own URLs are not subject to a route's policy (policy-language.md 3.4). */
static struct decision decide_endpoint(const struct exchange *x)
{
	if (x->endpoint->access == ACCESS_LOGIN && !x->session)
		return (struct decision){
			.outcome = POLICY_LOGIN,
			.allow_reasons = policy_reason_bit(REASON_USER_UNAUTHENTICATED),
			.rule = "",
		};
	return (struct decision){
		.outcome = POLICY_ALLOW,
		.allow = true,
		.allow_reasons = policy_reason_bit(REASON_POMERIUM_ROUTE),
		.rule = "",
	};
}

enum step stage_authorize(struct exchange *x)
{
	if (x->endpoint) {
		x->decision = decide_endpoint(x);
	} else {
		const struct policy_input facts = gather_facts(x);

		policy_eval(x->route->policy, &facts, &x->decision);
	}
	audit_authorize(x);

	switch (x->decision.outcome) {
	case POLICY_ALLOW:
		return STEP_NEXT;
	case POLICY_LOGIN:
		return respond_login(x);
	case POLICY_DENY:
		break;
	}
	return respond_refusal(x, REFUSAL_DENIED);
}
