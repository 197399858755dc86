/*
 * policy_criteria.c - one row and one function per criterion (policy-language.md 6 to 9, 14)
 *
 * A criterion about who somebody is needs a session, whatever its operand says: nobody passes one anonymously. Those that
 * this gateway has no facts for are rows as well, so that they are refused by name: one that can never hold must not look
 * like one that does not.
 */

#include "base/compiler.h"
#include "base/distance.h"
#include "base/url.h"
#include "policy/policy_parts.h"

#define AUTHORITY_MAX (HOST_NAME_MAX_LEN + sizeof("[]:65535"))

enum criterion_status { CRITERION_ANY, CRITERION_IDENTITY, CRITERION_REFUSED };

struct criterion {
	const char *name;
	enum criterion_status status;
	enum policy_reason ok;
	enum policy_reason failed;
	bool (*holds)(const struct member *m, const struct policy_input *input);
	/* NULL: the operand is not looked at */
	void (*read)(struct reader *r, const struct yaml_pair *pair, struct member *ret);
	/* NULL: does not depend on the clock */
	int64_t (*next_change)(const struct member *m, int64_t now_unix);
};

/* ---- operands ---- */

static void read_text(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	matcher_read(r, pair->value, MATCH_KIND_TEXT, &ret->matcher);
}

static void read_host(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	matcher_read(r, pair->value, MATCH_KIND_HOST, &ret->matcher);
}

static void read_texts(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	matcher_read(r, pair->value, MATCH_KIND_LIST, &ret->matcher);
}

struct claim_test claim_test_make(struct reader *r, struct str name, struct str lower)
{
	struct arena *arena = &r->policy->arena;

	return (struct claim_test){
		.name = arena_copy(arena, name),
		.name_lower = str_equal(name, lower) ? (struct str){ 0 } : arena_copy(arena, lower),
	};
}

/* What is behind the first '/' is the name of the claim. */
static void read_claim(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	size_t slash = str_find(pair->written, '/');

	if (slash + 1 >= pair->written.len)
		reader_warning(r, pair->at, "no claim is named (claim/NAME)");
	ret->claim = claim_test_make(r, str_from_pos(pair->written, slash + 1),
				     str_from_pos(pair->key, slash + 1));
	matcher_read(r, pair->value, MATCH_KIND_VALUES, &ret->claim.values);
}

static void read_ip(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	ip_ranges_read(r, pair->value, &ret->ip);
}

static void read_certificate(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	certificate_test_read(r, pair->value, &ret->certificate);
}

static void read_date(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	date_range_read(r, pair->value, &ret->date);
}

static void read_days(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	week_days_read(r, pair->value, &ret->days);
}

static void read_day_range(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	day_range_read(r, pair->value, &ret->day);
}

/* ---- conditions ---- */

static bool holds_always(const struct member *m, const struct policy_input *input)
{
	return true;
}

static bool holds_never(const struct member *m, const struct policy_input *input)
{
	return false;
}

static bool holds_authenticated_user(const struct member *m, const struct policy_input *input)
{
	return !str_is_empty(input->user_id);
}

static bool holds_user(const struct member *m, const struct policy_input *input)
{
	return !str_is_empty(input->user_id) && match_text(&m->matcher, input->user_id);
}

static bool holds_email(const struct member *m, const struct policy_input *input)
{
	return match_text(&m->matcher, input->email);
}

/* Between the first and the second '@'. */
static bool holds_domain(const struct member *m, const struct policy_input *input)
{
	size_t at = str_find(input->email, '@');

	if (at == input->email.len)
		return false;
	struct str rest = str_from_pos(input->email, at + 1);
	return match_text(&m->matcher, str_first(rest, str_find(rest, '@')));
}

/* Of whom no group is known, "exclude" is not known either. */
static bool holds_groups(const struct member *m, const struct policy_input *input)
{
	return input->groups.count && match_texts(&m->matcher, &input->groups);
}

struct claim_values {
	const struct policy_input *input;
	struct str name;
};

static bool claim_at(const void *arg, size_t index, struct policy_value *ret)
{
	const struct claim_values *values = arg;
	const struct policy_input *input = values->input;

	return input->claim && input->claim(input->who, values->name, index, ret);
}

/* As written first: names of claims have their case, and the reference's are in lower case. */
static bool holds_claim(const struct member *m, const struct policy_input *input)
{
	struct claim_values values = { .input = input, .name = m->claim.name };
	struct policy_value first;

	if (m->claim.name_lower.len && !claim_at(&values, 0, &first))
		values.name = m->claim.name_lower;
	return match_list(&m->claim.values, claim_at, &values);
}

static bool holds_method(const struct member *m, const struct policy_input *input)
{
	return match_text(&m->matcher, input->method);
}

static bool holds_path(const struct member *m, const struct policy_input *input)
{
	return match_text(&m->matcher, input->path);
}

/* Clients write names as they like: a rule must not depend on it. What is longer has no route. */
static bool holds_host(const struct member *m, const struct policy_input *input)
{
	char lower[AUTHORITY_MAX];
	struct str host = str_first(input->host, sizeof(lower));

	str_lower(host, lower);
	return match_text(&m->matcher, str_of(lower, host.len));
}

static bool holds_cors(const struct member *m, const struct policy_input *input)
{
	return input->is_cors_preflight;
}

static bool holds_ip(const struct member *m, const struct policy_input *input)
{
	return ip_ranges_have(&m->ip, &input->ip);
}

static bool holds_certificate(const struct member *m, const struct policy_input *input)
{
	return certificate_test_holds(&m->certificate, &input->certificate);
}

static bool holds_invalid_certificate(const struct member *m, const struct policy_input *input)
{
	const struct policy_certificate *c = &input->certificate;

	return c->is_checked && !(c->is_presented && c->is_valid);
}

static bool holds_date(const struct member *m, const struct policy_input *input)
{
	return date_range_has(&m->date, input->now_unix);
}

static int64_t next_date(const struct member *m, int64_t now_unix)
{
	return date_range_next(&m->date, now_unix);
}

static bool holds_days(const struct member *m, const struct policy_input *input)
{
	return week_days_have(&m->days, input->now_unix);
}

static int64_t next_day(const struct member *m, int64_t now_unix)
{
	return week_days_next(&m->days, now_unix);
}

static bool holds_day_range(const struct member *m, const struct policy_input *input)
{
	return day_range_has(&m->day, input->now_unix);
}

static int64_t next_day_range(const struct member *m, int64_t now_unix)
{
	return day_range_next(&m->day, now_unix);
}

/* ---- the table ---- */

#define CRITERION(name, reason, ...)                                                               \
	{                                                                                          \
		name, CRITERION_ANY, REASON_##reason##_OK, REASON_##reason##_UNAUTHORIZED,         \
			__VA_ARGS__                                                                \
	}
#define IDENTITY(name, reason, ...)                                                                \
	{                                                                                          \
		name, CRITERION_IDENTITY, REASON_##reason##_OK, REASON_##reason##_UNAUTHORIZED,    \
			__VA_ARGS__                                                                \
	}
#define REFUSED(name)                                                                              \
	{                                                                                          \
		name, CRITERION_REFUSED, REASON_REJECT, REASON_REJECT, holds_never, NULL, NULL     \
	}

static const struct criterion criteria[] = {
	{ "accept", CRITERION_ANY, REASON_ACCEPT, REASON_ACCEPT, holds_always, NULL, NULL },
	{ "reject", CRITERION_ANY, REASON_REJECT, REASON_REJECT, holds_never, NULL, NULL },
	IDENTITY("authenticated_user", USER, holds_authenticated_user, NULL, NULL),
	IDENTITY("user", USER, holds_user, read_text, NULL),
	IDENTITY("email", EMAIL, holds_email, read_text, NULL),
	IDENTITY("domain", DOMAIN, holds_domain, read_text, NULL),
	IDENTITY("groups", GROUPS, holds_groups, read_texts, NULL),
	IDENTITY("claim", CLAIM, holds_claim, read_claim, NULL),
	CRITERION("http_method", HTTP_METHOD, holds_method, read_text, NULL),
	CRITERION("http_path", HTTP_PATH, holds_path, read_text, NULL),
	CRITERION("http_host", HTTP_HOST, holds_host, read_host, NULL),
	{ "cors_preflight", CRITERION_ANY, REASON_CORS_REQUEST, REASON_NON_CORS_REQUEST, holds_cors,
	  NULL, NULL },
	CRITERION("source_ip", SOURCE_IP, holds_ip, read_ip, NULL),
	CRITERION("client_certificate", CLIENT_CERTIFICATE, holds_certificate, read_certificate,
		  NULL),
	{ "invalid_client_certificate", CRITERION_ANY, REASON_INVALID_CLIENT_CERTIFICATE,
	  REASON_VALID_CLIENT_CERTIFICATE, holds_invalid_certificate, NULL, NULL },
	CRITERION("date", DATE, holds_date, read_date, next_date),
	CRITERION("day_of_week", DAY_OF_WEEK, holds_days, read_days, next_day),
	CRITERION("time_of_day", TIME_OF_DAY, holds_day_range, read_day_range, next_day_range),
	REFUSED("device"),
	REFUSED("mcp_tool"),
	REFUSED("pomerium_routes"),
	REFUSED("record"),
	REFUSED("ssh_ca"),
	REFUSED("ssh_publickey"),
	REFUSED("ssh_username"),
	REFUSED("ssh_username_matches_claim"),
	REFUSED("ssh_username_matches_email"),
};

const struct criterion *criterion_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(criteria); i++)
		if (str_equal(name, str_from(criteria[i].name)))
			return &criteria[i];
	return NULL;
}

/* The nearest name that works. */
static const char *suggest(struct str name)
{
	size_t best = DISTANCE_SUGGESTED_MAX + 1;
	const char *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(criteria); i++) {
		size_t distance = str_distance(name, str_from(criteria[i].name));

		if (criteria[i].status == CRITERION_REFUSED || distance >= best)
			continue;
		best = distance;
		found = criteria[i].name;
	}
	return found;
}

static const char *const operator_names[] = { "and", "or", "not", "nor" };

static bool is_operator(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(operator_names); i++)
		if (str_equal(name, str_from(operator_names[i])))
			return true;
	return false;
}

static void refuse_unknown(struct reader *r, const struct yaml_pair *pair, struct str name)
{
	const char *nearest = suggest(name);

	if (is_operator(name))
		reader_error(r, pair->at, "operators are not nested: a criterion is needed here");
	else if (nearest)
		reader_error(r, pair->at, "\"%.*s\" is not a criterion; did you mean %s?",
			     STR_FMT(name), nearest);
	else
		reader_error(r, pair->at, "\"%.*s\" is not a criterion", STR_FMT(name));
}

void member_read(struct reader *r, const struct yaml_pair *pair, struct member *ret)
{
	size_t slash = str_find(pair->key, '/');
	struct str name = str_first(pair->key, slash);
	const struct criterion *c = criterion_find(name);

	if (!c) {
		refuse_unknown(r, pair, name);
		return;
	}
	if (c->status == CRITERION_REFUSED) {
		reader_error(r, pair->at, "%s is not supported by this gateway", c->name);
		return;
	}
	if (slash < pair->key.len && c->read != read_claim) {
		reader_error(r, pair->at, "%s takes no \"/\"", c->name);
		return;
	}
	ret->criterion = c;
	if (c->read)
		c->read(r, pair, ret);
}

/* ---- judging ---- */

/* There are two ways for a certificate to be invalid. */
static enum policy_reason reason_of(const struct criterion *c, bool holds,
				    const struct policy_input *input)
{
	if (holds && c->ok == REASON_INVALID_CLIENT_CERTIFICATE && !input->certificate.is_presented)
		return REASON_CLIENT_CERTIFICATE_REQUIRED;
	return holds ? c->ok : c->failed;
}

struct verdict member_judge(const struct member *m, const struct policy_input *input)
{
	const struct criterion *c = m->criterion;

	if (c->status == CRITERION_IDENTITY && !input->has_session)
		return (struct verdict){
			.reasons = policy_reason_bit(REASON_USER_UNAUTHENTICATED),
		};
	bool holds = c->holds(m, input);
	return (struct verdict){
		.holds = holds,
		.reasons = policy_reason_bit(reason_of(c, holds, input)),
	};
}

int64_t member_next_change(const struct member *m, int64_t now_unix)
{
	if (!m->criterion->next_change)
		return INT64_MAX;
	return m->criterion->next_change(m, now_unix);
}
