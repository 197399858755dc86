/*
 * policy.c - from the access settings of a route to its rules, and the end of them
 */

#include "policy/policy.h"

#include "base/mem.h"
#include "policy/policy_parts.h"

#define LEGACY_RULES_MAX 7 /* one per setting, and the one about certificates */

static void read_access(struct reader *r, const struct config_access *access,
			enum policy_certificate_rule certificates)
{
	size_t max = LEGACY_RULES_MAX + policy_rules_max(access->policy);

	_cleanup_(mem_freep) struct rule *rules = mem_alloc_array(max, sizeof(*rules));

	r->rules = rules;
	legacy_rules_make(r, access);
	if (access->policy && access->policy->kind != YAML_NULL)
		policy_rules_read(r, access->policy);
	if (certificates == POLICY_CERTIFICATE_REQUIRED)
		certificate_rule_make(r);
	struct rule *kept = arena_alloc_array(&r->policy->arena, r->rule_count, sizeof(*kept));

	if (r->rule_count)
		memcpy(kept, rules, r->rule_count * sizeof(*kept));
	r->policy->rules = kept;
	r->policy->count = r->rule_count;
}

struct policy *policy_compile(const struct config_route *route,
			      enum policy_certificate_rule certificates, struct report *report)
{
	struct policy *policy = mem_alloc(sizeof(*policy));
	struct reader r;

	reader_init(&r, policy, route, report);
	read_access(&r, &route->access, certificates);
	reader_done(&r);
	if (r.mistake_count == 0)
		return policy;
	policy_free(policy);
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (struct zone_owner *owner = policy->zones; owner; owner = owner->next)
		time_zone_free(owner->zone);
	arena_done(&policy->arena);
	mem_free(policy);
}
