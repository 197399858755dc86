#pragma once

/*
 * policy.h - who may: facts in, decision out (policy-language.md)
 *
 * Pure: knows nothing of sockets, sessions or time. A policy is compiled from a route's settings once and evaluated for
 * every request.
 *
 * Ownership  policy_new() gives an immutable object that copies what it needs.
 * Threads    Any number may evaluate one policy.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"

/* policy-language.md 15. A set of them is a bit mask: 1u << REASON_x. */
enum policy_reason {
	REASON_ACCEPT,
	REASON_DOMAIN_OK,
	REASON_DOMAIN_UNAUTHORIZED,
	REASON_EMAIL_OK,
	REASON_EMAIL_UNAUTHORIZED,
	REASON_GROUPS_OK,
	REASON_GROUPS_UNAUTHORIZED,
	REASON_NON_POMERIUM_ROUTE,
	REASON_POMERIUM_ROUTE,
	REASON_USER_OK,
	REASON_USER_UNAUTHENTICATED,
	REASON_USER_UNAUTHORIZED,
	REASON_COUNT,
};

/* "email-ok". In the order of the enum, names are sorted. */
const char *policy_reason_name(enum policy_reason reason);

struct policy_input {
	bool has_session;
	struct str user_id;
	struct str email;
	const struct str *groups;
	size_t group_count;
};

enum policy_outcome { POLICY_ALLOW, POLICY_LOGIN, POLICY_DENY };

struct decision {
	enum policy_outcome outcome;
	bool allow;
	bool deny;
	uint32_t allow_reasons; /* why allow is what it is */
	uint32_t deny_reasons;
	const char
		*rule; /* what decided: "allowed_users", ...; "" if nothing matched. Static text */
};

struct policy;

struct policy *policy_new(const struct config_route *route);
void policy_free(struct policy *policy); /* NULL is ignored */

void policy_eval(const struct policy *policy, const struct policy_input *input,
		 struct decision *ret);
