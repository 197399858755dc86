#pragma once

/*
 * policy_parts.h - the compiled form of a policy
 *
 * Private to the module. Rules have operators, operators have members; a member is one criterion with its operand. All of
 * it, texts included, is in the policy's arena and never changes.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "config/yaml.h"
#include "policy/policy.h"
#include "policy/time_zone.h"

#define POLICY_PATH_MAX 512
#define POLICY_TEXT_MAX 200 /* of an operand, for explanations */

/* ---- matchers: policy_match.c ---- */

enum match_op {
	MATCH_IS,
	MATCH_NOT,
	MATCH_IN,
	MATCH_NOT_IN,
	MATCH_STARTS_WITH,
	MATCH_ENDS_WITH,
	MATCH_CONTAINS,
	MATCH_HAS,
	MATCH_EXCLUDE,
};

/* Texts first, in byte order, so that a long list is searched quickly. */
struct match_set {
	const struct policy_value *items;
	size_t count;
	size_t text_count;
};

struct match_test {
	enum match_op op;
	struct match_set operands; /* null, lists and mappings equal nothing and are left out */
};

/* All tests must hold. */
struct matcher {
	const struct match_test *tests;
	size_t count;
};

/* Writes the index-th value and returns true, or returns false. */
typedef bool (*match_value_at)(const void *arg, size_t index, struct policy_value *ret);

bool match_text(const struct matcher *m, struct str text);
bool match_list(const struct matcher *m, match_value_at value_at, const void *arg);

/* The same for values that are texts. */
bool match_texts(const struct matcher *m, const struct config_list *texts);

/* Each test may be satisfied by another of the texts (policy-language.md 9). */
bool match_any_text(const struct matcher *m, const struct config_list *texts);

bool match_set_has(const struct match_set *set, const struct policy_value *value);

/* ---- criteria: policy_criteria.c ---- */

struct claim_test {
	struct str name;       /* as written */
	struct str name_lower; /* empty: the same */
	struct matcher values;
};

/* In the form of IPv6; IPv4 is ::ffff:0:0/96. */
struct ip_range {
	uint8_t bytes[16];
	unsigned bits;
};

struct ip_ranges {
	const struct ip_range *items;
	size_t count;
};

/* A matcher without tests was not given. */
struct certificate_test {
	bool has_fingerprints;
	bool has_spki_hashes;
	struct match_set fingerprints; /* 64 lower-case hex digits */
	struct match_set spki_hashes;
	struct matcher emails;
	struct matcher dns_names;
	struct matcher uris;
};

/* after <= now < before */
struct date_range {
	int64_t after_unix;  /* INT64_MIN: any */
	int64_t before_unix; /* INT64_MAX: any */
};

struct week_days {
	const struct time_zone *zone;
	unsigned mask; /* bit 0: Sunday */
};

/* Seconds of the local day. Wraps around midnight if after is behind before. */
struct day_range {
	const struct time_zone *zone;
	int32_t after_s;
	int32_t before_s;
};

struct criterion;

struct member {
	const struct criterion *criterion;
	const char *name;   /* "email", "claim/groups" */
	struct position at; /* line 0: from a legacy field */
	struct str text;    /* the operand, as it would be written */
	union {
		struct matcher matcher;
		struct claim_test claim;
		struct ip_ranges ip;
		struct certificate_test certificate;
		struct date_range date;
		struct week_days days;
		struct day_range day;
	};
};

struct verdict {
	bool holds;
	uint64_t reasons;
};

/* NULL: there is none of that name. */
const struct criterion *criterion_find(struct str name);

struct verdict member_judge(const struct member *m, const struct policy_input *input);

/* INT64_MAX: never */
int64_t member_next_change(const struct member *m, int64_t now_unix);

/* ---- rules: policy_eval.c ---- */

enum rule_operator { OPERATOR_AND, OPERATOR_OR, OPERATOR_NOT, OPERATOR_NOR };

struct group {
	enum rule_operator operator;
	struct position at;
	const struct member *members; /* at least one: an empty list contributes nothing */
	size_t count;
};

struct rule {
	const char *name; /* "policy[1].allow", "allowed_users" */
	struct position at;
	bool is_deny;
	const struct group *groups;
	size_t count;
};

struct zone_owner {
	struct zone_owner *next;
	struct time_zone *zone;
};

struct policy {
	struct arena arena;
	struct zone_owner *zones;
	const struct rule *rules; /* legacy fields, rules of the policy, certificates */
	size_t count;
	bool has_time; /* some member looks at the clock */
};

const char *operator_name(enum rule_operator operator);

struct verdict group_judge(const struct group *g, const struct policy_input *input);
struct verdict rule_judge(const struct rule *r, const struct policy_input *input);

/* ---- reading: policy_reader.c, policy_parse.c ---- */

/* Where reading stands. A mistake is reported and counted, and reading goes on, so that all of them are found. */
struct reader {
	struct policy *policy;
	struct report *report;
	struct buf path;  /* "routes[2].policy[0].allow.and[1].email" */
	size_t route_len; /* how much of it is the route's */
	const char *file; /* of the last position kept, and its copy */
	const char *file_copy;
	struct rule *rules; /* room for all there can be */
	size_t rule_count;
	size_t member_count;
	size_t mistake_count;
};

void reader_init(struct reader *r, struct policy *policy, const struct config_route *route,
		 struct report *report);
void reader_done(struct reader *r);

/* "<path>: <sentence>" */
void reader_error(struct reader *r, struct position at, const char *format, ...) PRINTF_LIKE(3, 4);
void reader_warning(struct reader *r, struct position at, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* A position that lives as long as the policy. */
struct position reader_keep(struct reader *r, struct position at);

/* A value as it would be written on one line, at most POLICY_TEXT_MAX bytes of it. */
struct str reader_text(struct reader *r, const struct yaml_node *node);

/* What was written so far, on one line and for as long as the policy lives; empties the buffer. */
struct str reader_keep_text(struct reader *r, struct buf *out);

/* The path behind the route's: the name of a rule. */
const char *reader_name(const struct reader *r);

/* Lengthens the path; returns what reader_leave() needs to shorten it again. */
size_t reader_enter(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);
void reader_leave(struct reader *r, size_t mark);

/* All rules of "policy". */
void policy_rules_read(struct reader *r, const struct yaml_node *node);
size_t policy_rules_max(const struct yaml_node *node);

/* Those of the other access settings, which are alternatives, and of the client's certificate. */
void legacy_rules_make(struct reader *r, const struct config_access *access);
void certificate_rule_make(struct reader *r);

struct claim_test claim_test_make(struct reader *r, struct str name, struct str lower);

/* {criterion: operand} */
void member_read(struct reader *r, const struct yaml_pair *pair, struct member *ret);

/* A number of JSON. */
bool text_is_number(struct str text);

/* A scalar as YAML and JSON understand it. False: null, a list or a mapping, which equal nothing. */
bool value_read(struct reader *r, const struct yaml_node *node, struct policy_value *ret);

enum match_kind {
	MATCH_KIND_TEXT,     /* a string matcher (policy-language.md 5.1) */
	MATCH_KIND_HOST,     /* the same for a fact in lower case */
	MATCH_KIND_ANY_TEXT, /* the same for match_any_text() */
	MATCH_KIND_LIST,     /* a string-list matcher (5.2) of texts */
	MATCH_KIND_VALUES,   /* the same of values of any type */
};

void matcher_read(struct reader *r, const struct yaml_node *node, enum match_kind kind,
		  struct matcher *ret);

/* A set of what is in values, which it takes apart. */
struct match_set match_set_make(struct policy_value *values, size_t count);

/* One test of a whole set, for legacy fields: there an empty entry is nobody. */
struct matcher matcher_make(struct reader *r, enum match_op op, const struct str *texts,
			    size_t count);

/* The operands of criteria: policy_address.c, policy_certificate.c, policy_time.c */
void ip_ranges_read(struct reader *r, const struct yaml_node *node, struct ip_ranges *ret);
bool ip_ranges_have(const struct ip_ranges *ranges, const struct addr *ip);

void certificate_test_read(struct reader *r, const struct yaml_node *node,
			   struct certificate_test *ret);
bool certificate_test_holds(const struct certificate_test *t, const struct policy_certificate *c);

void date_range_read(struct reader *r, const struct yaml_node *node, struct date_range *ret);
bool date_range_has(const struct date_range *range, int64_t at_unix);
int64_t date_range_next(const struct date_range *range, int64_t at_unix);

void week_days_read(struct reader *r, const struct yaml_node *node, struct week_days *ret);
bool week_days_have(const struct week_days *days, int64_t at_unix);
int64_t week_days_next(const struct week_days *days, int64_t at_unix);

void day_range_read(struct reader *r, const struct yaml_node *node, struct day_range *ret);
bool day_range_has(const struct day_range *range, int64_t at_unix);
int64_t day_range_next(const struct day_range *range, int64_t at_unix);
