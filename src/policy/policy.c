/*
 * policy.c - criteria as a table; their results are merged as policy-language.md 2 says
 *
 * The settings of a route are alternatives: one "or". A true "or" has the reasons of its true members, a false
 * one those of all. Every identity criterion needs a session, so that nobody passes one anonymously.
 */

#include "policy/policy.h"

#include "base/arena.h"
#include "base/compiler.h"
#include "base/mem.h"

struct policy {
	struct arena arena;
	struct config_list allowed_users;
	struct config_list allowed_domains;
	struct config_list allowed_groups;
	bool allow_any_authenticated_user;
	bool allow_public_unauthenticated_access;
};

/* The merged members of the "or" so far. */
struct merge {
	bool is_true;
	uint64_t true_reasons;
	uint64_t false_reasons;
};

static void add_member(struct merge *m, bool is_true, enum policy_reason reason)
{
	if (is_true)
		m->true_reasons |= policy_reason_bit(reason);
	else
		m->false_reasons |= policy_reason_bit(reason);
	m->is_true = m->is_true || is_true;
}

/* A criterion about who somebody is. */
static void add_identity(struct merge *m, const struct policy_input *input, bool holds,
			 enum policy_reason ok, enum policy_reason unauthorized)
{
	if (!input->has_session)
		add_member(m, false, REASON_USER_UNAUTHENTICATED);
	else
		add_member(m, holds, holds ? ok : unauthorized);
}

static bool list_has(const struct str *items, size_t count, struct str wanted)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(items[i], wanted))
			return true;
	return false;
}

static void judge_public(const struct policy *p, const struct policy_input *input, struct merge *m)
{
	if (p->allow_public_unauthenticated_access)
		add_member(m, true, REASON_ACCEPT);
}

static void judge_any_user(const struct policy *p, const struct policy_input *input,
			   struct merge *m)
{
	if (p->allow_any_authenticated_user)
		add_identity(m, input, !str_is_empty(input->user_id), REASON_USER_OK,
			     REASON_USER_UNAUTHORIZED);
}

/* Between the first and the second '@'. */
static bool domain_of(struct str email, struct str *ret)
{
	size_t at = str_find(email, '@');

	if (at == email.len)
		return false;
	struct str rest = str_from_pos(email, at + 1);
	*ret = str_first(rest, str_find(rest, '@'));
	return true;
}

/*
 * Each entry of a list is a member of its own, but all members of a list share their reasons: one that holds
 * makes the "or" true and drops those of the others. So a list can be judged at once.
 */
static void judge_domains(const struct policy *p, const struct policy_input *input, struct merge *m)
{
	const struct config_list *list = &p->allowed_domains;
	struct str domain;

	if (!list->count)
		return;
	bool holds = domain_of(input->email, &domain) && list_has(list->items, list->count, domain);
	add_identity(m, input, holds, REASON_DOMAIN_OK, REASON_DOMAIN_UNAUTHORIZED);
}

static void judge_groups(const struct policy *p, const struct policy_input *input, struct merge *m)
{
	const struct config_list *list = &p->allowed_groups;
	bool holds = false;

	if (!list->count)
		return;
	for (size_t i = 0; i < list->count && !holds; i++)
		holds = list_has(input->groups.items, input->groups.count, list->items[i]);
	add_identity(m, input, holds, REASON_GROUPS_OK, REASON_GROUPS_UNAUTHORIZED);
}

/* Entries are compared with the id and with the e-mail: nobody has to say which they are. */
static void judge_users(const struct policy *p, const struct policy_input *input, struct merge *m)
{
	const struct config_list *list = &p->allowed_users;

	if (!list->count)
		return;
	bool has_id = !str_is_empty(input->user_id) &&
		      list_has(list->items, list->count, input->user_id);
	bool has_email = !str_is_empty(input->email) &&
			 list_has(list->items, list->count, input->email);

	add_identity(m, input, has_id, REASON_USER_OK, REASON_USER_UNAUTHORIZED);
	add_identity(m, input, has_email, REASON_EMAIL_OK, REASON_EMAIL_UNAUTHORIZED);
}

struct criterion {
	const char *setting;
	void (*judge)(const struct policy *p, const struct policy_input *input, struct merge *m);
};

/* policy-language.md 13 */
static const struct criterion criteria[] = {
	{ "allow_public_unauthenticated_access", judge_public },
	{ "allow_any_authenticated_user", judge_any_user },
	{ "allowed_domains", judge_domains },
	{ "allowed_groups", judge_groups },
	{ "allowed_users", judge_users },
};

static struct config_list copy_list(struct arena *arena, const struct config_list *list)
{
	if (!list->count)
		return (struct config_list){ 0 };
	struct str *items = arena_alloc_array(arena, list->count, sizeof(*items));

	for (size_t i = 0; i < list->count; i++)
		items[i] = arena_copy(arena, list->items[i]);
	return (struct config_list){ .items = items, .count = list->count };
}

struct policy *policy_compile(const struct config_route *route,
			      enum policy_certificate_rule certificates, struct report *report)
{
	struct policy *p = mem_alloc(sizeof(*p));

	p->allowed_users = copy_list(&p->arena, &route->access.allowed_users);
	p->allowed_domains = copy_list(&p->arena, &route->access.allowed_domains);
	p->allowed_groups = copy_list(&p->arena, &route->access.allowed_groups);
	p->allow_any_authenticated_user = route->access.allow_any_authenticated_user;
	p->allow_public_unauthenticated_access = route->access.allow_public_unauthenticated_access;
	return p;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	arena_done(&policy->arena);
	mem_free(policy);
}

/* policy-language.md 3; the order is the contract. */
static enum policy_outcome decide(const struct decision *d)
{
	uint64_t login = policy_reason_bit(REASON_USER_UNAUTHENTICATED);

	if ((d->allow_reasons | d->deny_reasons) & login)
		return POLICY_LOGIN;
	if (d->deny)
		return POLICY_DENY;
	return d->allow ? POLICY_ALLOW : POLICY_DENY;
}

void policy_eval(const struct policy *policy, const struct policy_input *input,
		 struct decision *ret)
{
	struct merge m = { 0 };
	struct decision d = { .rule = "" };

	for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
		bool was_true = m.is_true;

		criteria[i].judge(policy, input, &m);
		if (m.is_true && !was_true)
			d.rule = criteria[i].setting;
	}
	d.allow = m.is_true;
	d.allow_reasons = m.is_true ? m.true_reasons : m.false_reasons;
	d.outcome = decide(&d);
	*ret = d;
}

const char *policy_reason_name(enum policy_reason reason)
{
	static const char *const names[REASON_COUNT] = {
		[REASON_ACCEPT] = "accept",
		[REASON_CLAIM_OK] = "claim-ok",
		[REASON_CLAIM_UNAUTHORIZED] = "claim-unauthorized",
		[REASON_CLIENT_CERTIFICATE_OK] = "client-certificate-ok",
		[REASON_CLIENT_CERTIFICATE_REQUIRED] = "client-certificate-required",
		[REASON_CLIENT_CERTIFICATE_UNAUTHORIZED] = "client-certificate-unauthorized",
		[REASON_CORS_REQUEST] = "cors-request",
		[REASON_DATE_OK] = "date-ok",
		[REASON_DATE_UNAUTHORIZED] = "date-unauthorized",
		[REASON_DAY_OF_WEEK_OK] = "day-of-week-ok",
		[REASON_DAY_OF_WEEK_UNAUTHORIZED] = "day-of-week-unauthorized",
		[REASON_DEVICE_OK] = "device-ok",
		[REASON_DEVICE_UNAUTHENTICATED] = "device-unauthenticated",
		[REASON_DEVICE_UNAUTHORIZED] = "device-unauthorized",
		[REASON_DOMAIN_OK] = "domain-ok",
		[REASON_DOMAIN_UNAUTHORIZED] = "domain-unauthorized",
		[REASON_EMAIL_OK] = "email-ok",
		[REASON_EMAIL_UNAUTHORIZED] = "email-unauthorized",
		[REASON_GROUPS_OK] = "groups-ok",
		[REASON_GROUPS_UNAUTHORIZED] = "groups-unauthorized",
		[REASON_HTTP_HOST_OK] = "http-host-ok",
		[REASON_HTTP_HOST_UNAUTHORIZED] = "http-host-unauthorized",
		[REASON_HTTP_METHOD_OK] = "http-method-ok",
		[REASON_HTTP_METHOD_UNAUTHORIZED] = "http-method-unauthorized",
		[REASON_HTTP_PATH_OK] = "http-path-ok",
		[REASON_HTTP_PATH_UNAUTHORIZED] = "http-path-unauthorized",
		[REASON_INVALID_CLIENT_CERTIFICATE] = "invalid-client-certificate",
		[REASON_NON_CORS_REQUEST] = "non-cors-request",
		[REASON_NON_POMERIUM_ROUTE] = "non-pomerium-route",
		[REASON_POMERIUM_ROUTE] = "pomerium-route",
		[REASON_REJECT] = "reject",
		[REASON_ROUTE_NOT_FOUND] = "route-not-found",
		[REASON_SOURCE_IP_OK] = "source-ip-ok",
		[REASON_SOURCE_IP_UNAUTHORIZED] = "source-ip-unauthorized",
		[REASON_TIME_OF_DAY_OK] = "time-of-day-ok",
		[REASON_TIME_OF_DAY_UNAUTHORIZED] = "time-of-day-unauthorized",
		[REASON_USER_OK] = "user-ok",
		[REASON_USER_UNAUTHENTICATED] = "user-unauthenticated",
		[REASON_USER_UNAUTHORIZED] = "user-unauthorized",
		[REASON_VALID_CLIENT_CERTIFICATE] = "valid-client-certificate",
	};

	return names[reason];
}

int64_t policy_next_change(const struct policy *policy, int64_t now_unix)
{
	return INT64_MAX;
}
