#include "proxy/authorize.h"

#include "base/clock.h"
#include "proxy/audit.h"
#include "proxy/client_certificate.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"

/* The values of a claim; what type each had when it came is not known any more. */
static bool find_claim(const void *who, struct str name, size_t index, struct policy_value *ret)
{
	const struct identity *identity = who;
	const struct claim *claim = claims_find(&identity->claims, name);

	if (!claim || index >= claim->value_count)
		return false;
	*ret = (struct policy_value){
		.kind = POLICY_VALUE_UNTYPED,
		.text = claim->values[index],
	};
	return true;
}

int64_t authorize_decide(const struct exchange *x, struct decision *ret)
{
	struct policy_input input = {
		.method = x->facts.method,
		.host = x->facts.authority,
		.path = x->facts.path,
		.ip = x->peer,
		.now_unix = clock_now_unix(),
	};
	int64_t until_unix;

	client_certificate_facts(x, &input.certificate, &until_unix);
	if (x->session) {
		const struct identity *who = x->session->who;

		input.has_session = true;
		input.user_id = who->user_id;
		input.email = who->email;
		input.groups = (struct config_list){ .items = who->groups,
						     .count = who->group_count };
		input.claim = find_claim;
		input.who = who;
	}
	policy_eval(x->route->policy, &input, ret);
	return until_unix;
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

/* policy-language.md 3 and 3.2 */
static enum refusal refusal_of(const struct decision *d)
{
	const uint64_t certificate = policy_reason_bit(REASON_CLIENT_CERTIFICATE_REQUIRED) |
				     policy_reason_bit(REASON_INVALID_CLIENT_CERTIFICATE);
	uint64_t reasons = d->deny ? d->deny_reasons : d->deny_reasons | d->allow_reasons;

	return reasons & certificate ? REFUSAL_CLIENT_CERTIFICATE : REFUSAL_DENIED;
}

enum step authorize_refuse(struct exchange *x)
{
	if (x->decision.outcome == POLICY_LOGIN)
		return respond_login(x);
	return respond_refusal(x, refusal_of(&x->decision));
}

enum step stage_authorize(struct exchange *x)
{
	if (x->endpoint)
		x->decision = decide_endpoint(x);
	else
		(void)authorize_decide(x, &x->decision); /* asked again when it is open */
	audit_authorize(x);
	return x->decision.outcome == POLICY_ALLOW ? STEP_NEXT : authorize_refuse(x);
}
