#pragma once

/*
 * policy.h - who may: facts in, decision out (policy-language.md, extensions.md 3)
 *
 * Pure: knows nothing of sockets, sessions or clocks. The policy of a route (its legacy fields, its rules in the policy
 * language, and the rule about client certificates) is compiled once to an immutable form; evaluating it allocates
 * nothing.
 *
 * Ownership  policy_compile() gives an immutable object that copies what it needs.
 * Threads    Any number may evaluate one policy.
 * Errors     All mistakes in the text of a policy go to the report, with line and column.
 * Limits     Named below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"
#include "config/config.h"
#include "config/report.h"

#define POLICY_RULES_MAX    1000  /* of one route */
#define POLICY_CRITERIA_MAX 10000 /* of one route */

/* policy-language.md 15, and ours for dates and hosts; sorted by name. A set of them is a bit mask: policy_reason_bit(). */
enum policy_reason {
	REASON_ACCEPT,
	REASON_CLAIM_OK,
	REASON_CLAIM_UNAUTHORIZED,
	REASON_CLIENT_CERTIFICATE_OK,
	REASON_CLIENT_CERTIFICATE_REQUIRED,
	REASON_CLIENT_CERTIFICATE_UNAUTHORIZED,
	REASON_CORS_REQUEST,
	REASON_DATE_OK,
	REASON_DATE_UNAUTHORIZED,
	REASON_DAY_OF_WEEK_OK,
	REASON_DAY_OF_WEEK_UNAUTHORIZED,
	REASON_DEVICE_OK,
	REASON_DEVICE_UNAUTHENTICATED,
	REASON_DEVICE_UNAUTHORIZED,
	REASON_DOMAIN_OK,
	REASON_DOMAIN_UNAUTHORIZED,
	REASON_EMAIL_OK,
	REASON_EMAIL_UNAUTHORIZED,
	REASON_GROUPS_OK,
	REASON_GROUPS_UNAUTHORIZED,
	REASON_HTTP_HOST_OK,
	REASON_HTTP_HOST_UNAUTHORIZED,
	REASON_HTTP_METHOD_OK,
	REASON_HTTP_METHOD_UNAUTHORIZED,
	REASON_HTTP_PATH_OK,
	REASON_HTTP_PATH_UNAUTHORIZED,
	REASON_INVALID_CLIENT_CERTIFICATE,
	REASON_NON_CORS_REQUEST,
	REASON_NON_POMERIUM_ROUTE,
	REASON_POMERIUM_ROUTE,
	REASON_REJECT,
	REASON_ROUTE_NOT_FOUND,
	REASON_SOURCE_IP_OK,
	REASON_SOURCE_IP_UNAUTHORIZED,
	REASON_TIME_OF_DAY_OK,
	REASON_TIME_OF_DAY_UNAUTHORIZED,
	REASON_USER_OK,
	REASON_USER_UNAUTHENTICATED,
	REASON_USER_UNAUTHORIZED,
	REASON_VALID_CLIENT_CERTIFICATE,
	REASON_COUNT,
};

_Static_assert(REASON_COUNT <= 64, "a set of reasons is a uint64_t");

static inline uint64_t policy_reason_bit(enum policy_reason reason)
{
	return (uint64_t)1 << reason;
}

/* "email-ok". In the order of the enum, names are sorted. */
const char *policy_reason_name(enum policy_reason reason);

/* ---- facts ---- */

/* Comparison knows types: the number 5 is not the text "5". */
enum policy_value_kind {
	POLICY_VALUE_TEXT,
	POLICY_VALUE_NUMBER,
	POLICY_VALUE_BOOL,
	POLICY_VALUE_UNTYPED, /* the text of a text, number or boolean: equal to each of them that looks like it */
};

struct policy_value {
	enum policy_value_kind kind;
	struct str text; /* TEXT and UNTYPED */
	double number;
	bool is_true;
};

/* What is known of the client's certificate. */
struct policy_certificate {
	bool is_checked; /* a client CA applies to this request */
	bool is_presented;
	bool is_valid;             /* chain, purpose, time, revocation, depth, names: all good */
	struct str fingerprint;    /* SHA-256 of the certificate, 64 lower-case hex digits */
	struct str spki_hash;      /* SHA-256 of its public key info, standard base64 */
	struct config_list emails; /* subject alternative names */
	struct config_list dns_names;
	struct config_list uris;
};

/* Everything borrowed. */
struct policy_input {
	bool has_session;
	struct str user_id;
	struct str email;
	struct config_list groups;
	/* The values of a claim by its exact name: writes the index-th and returns true, or returns false. NULL: no claims */
	bool (*claim)(const void *who, struct str name, size_t index, struct policy_value *ret);
	const void *who;

	struct str method;
	struct str host; /* the authority asked for, in any case */
	struct str path; /* decoded, without query; empty for tunnels */
	bool is_cors_preflight;
	struct addr ip;
	struct policy_certificate certificate;
	int64_t now_unix;
};

/* ---- decision ---- */

/* policy-language.md 3. The device outcome does not exist here: see docs/policy.md */
enum policy_outcome { POLICY_ALLOW, POLICY_LOGIN, POLICY_DENY };
const char *policy_outcome_name(enum policy_outcome outcome); /* "allow", "login", "deny" */

struct decision {
	enum policy_outcome outcome;
	bool allow;
	bool deny;
	uint64_t allow_reasons; /* why allow is what it is */
	uint64_t deny_reasons;
	/* What decided: "allowed_users", "policy[1].allow"; "" if nothing matched. Belongs to the policy. */
	const char *rule;
};

struct policy;

enum policy_certificate_rule {
	POLICY_CERTIFICATE_FREE, /* what the rules of the route say */
	POLICY_CERTIFICATE_REQUIRED, /* and: deny what invalid_client_certificate matches (policy-language.md 9) */
};

/*
 * Of a route's access settings. NULL if something is wrong with them: then the report has at least one error more, each
 * "<file:line:column>: <route->path>.policy[0].allow.and[1].email: ...".
 */
struct policy *policy_compile(const struct config_route *route,
			      enum policy_certificate_rule certificates, struct report *report);
void policy_free(struct policy *policy); /* NULL is ignored */

void policy_eval(const struct policy *policy, const struct policy_input *input,
		 struct decision *ret);

/*
 * The first moment after now_unix at which time alone may change the decision (date, day_of_week, time_of_day); INT64_MAX if
 * never. May be early, never late.
 */
int64_t policy_next_change(const struct policy *policy, int64_t now_unix);

/* ---- explanation, for people ---- */

struct policy_step {
	unsigned depth;   /* 0: a rule, 1: an operator, 2: a criterion */
	const char *name; /* "policy[0].allow", "and", "claim/groups" */
	struct str
		text; /* of a criterion: its operand as it would be written; valid during the call */
	struct position at; /* line 0: from a legacy field */
	bool is_true;
	uint64_t reasons;
};

/* Evaluates everything, also what no longer matters, and tells each step in the order of the file. */
void policy_explain(const struct policy *policy, const struct policy_input *input,
		    void (*on_step)(void *arg, const struct policy_step *step), void *arg);
