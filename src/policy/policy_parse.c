/*
 * policy_parse.c - the text of a policy to rules (policy-language.md 1)
 *
 * policy = mapping or list of mappings; mapping = "allow" and "deny"; each a body of operators; each a list of criteria. An
 * operator without criteria contributes nothing and is left out.
 */

#include "base/compiler.h"
#include "policy/policy_parts.h"

static const struct {
	const char *name;
	enum rule_operator operator;
} operators[] = {
	{ "and", OPERATOR_AND },
	{ "or", OPERATOR_OR },
	{ "not", OPERATOR_NOT },
	{ "nor", OPERATOR_NOR },
};

const char *operator_name(enum rule_operator operator)
{
	return operators[operator].name;
}

static bool operator_find(struct str name, enum rule_operator *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		if (!str_equal(name, str_from(operators[i].name)))
			continue;
		*ret = operators[i].operator;
		return true;
	}
	return false;
}

/* ---- criteria ---- */

static void read_criterion(struct reader *r, const struct yaml_node *node, struct member *ret)
{
	if (node->kind != YAML_MAPPING) {
		reader_error(r, node->at, "a mapping with one criterion is needed here");
		return;
	}
	if (node->count != 1) {
		reader_error(r, node->at, "%s",
			     node->count ? "more than one criterion: each is an "
					   "element of its own"
					 : "no criterion in it");
		return;
	}
	const struct yaml_pair *pair = &node->pairs[0];
	size_t mark = reader_enter(r, ".%.*s", STR_FMT(pair->written));

	ret->at = reader_keep(r, pair->at);
	ret->name = arena_copy_string(&r->policy->arena, pair->written);
	ret->text = reader_text(r, pair->value);
	member_read(r, pair, ret);
	reader_leave(r, mark);
}

static void read_criteria(struct reader *r, const struct yaml_node *node, struct group *ret)
{
	struct member *members;

	if (node->kind != YAML_SEQUENCE) {
		reader_error(r, node->at, "a list of criteria is needed here");
		return;
	}
	r->member_count += node->count;
	if (r->member_count > POLICY_CRITERIA_MAX) {
		reader_error(r, node->at, "more than %d criteria in one route",
			     POLICY_CRITERIA_MAX);
		return;
	}
	members = arena_alloc_array(&r->policy->arena, node->count, sizeof(*members));
	for (size_t i = 0; i < node->count; i++) {
		size_t mark = reader_enter(r, "[%zu]", i);

		read_criterion(r, node->items[i], &members[i]);
		reader_leave(r, mark);
	}
	ret->members = members;
	ret->count = node->count;
}

/* ---- operators ---- */

static void refuse_operator(struct reader *r, const struct yaml_pair *pair)
{
	struct str name = str_first(pair->key, str_find(pair->key, '/'));

	if (criterion_find(name))
		reader_error(r, pair->at,
			     "\"%.*s\" is a criterion: it belongs into the list of an operator "
			     "(and, or, not, nor)",
			     STR_FMT(pair->written));
	else
		reader_error(r, pair->at, "\"%.*s\" is not an operator (and, or, not, nor)",
			     STR_FMT(pair->written));
}

static void read_operator(struct reader *r, const struct yaml_pair *pair, struct group *ret)
{
	if (!operator_find(pair->key, &ret->operator)) {
		refuse_operator(r, pair);
		return;
	}
	size_t mark = reader_enter(r, ".%s", operator_name(ret->operator));

	ret->at = reader_keep(r, pair->at);
	read_criteria(r, pair->value, ret);
	reader_leave(r, mark);
}

static void read_body(struct reader *r, const struct yaml_node *node, struct rule *ret)
{
	if (node->kind != YAML_MAPPING) {
		reader_error(r, node->at,
			     "a mapping of operators is needed here (and, or, not, nor)");
		return;
	}
	struct group *groups = arena_alloc_array(&r->policy->arena, node->count, sizeof(*groups));
	size_t count = 0;

	for (size_t i = 0; i < node->count; i++) {
		if (str_equal(node->pairs[i].key, STR("action"))) /* old files have it */
			continue;
		read_operator(r, &node->pairs[i], &groups[count]);
		count += groups[count].count > 0;
	}
	ret->groups = groups;
	ret->count = count;
}

/* ---- rules ---- */

static const struct yaml_pair *find_pair(const struct yaml_node *mapping, struct str key)
{
	for (size_t i = 0; i < mapping->count; i++)
		if (str_equal(mapping->pairs[i].key, key))
			return &mapping->pairs[i];
	return NULL;
}

static void read_rule(struct reader *r, const struct yaml_node *mapping, const char *action)
{
	const struct yaml_pair *pair = find_pair(mapping, str_from(action));

	if (!pair)
		return;
	size_t mark = reader_enter(r, ".%s", action);
	struct rule *rule = &r->rules[r->rule_count++];

	rule->name = reader_name(r);
	rule->at = reader_keep(r, pair->at);
	rule->is_deny = action[0] == 'd';
	read_body(r, pair->value, rule);
	reader_leave(r, mark);
}

static void read_rules(struct reader *r, const struct yaml_node *node)
{
	if (node->kind != YAML_MAPPING) {
		reader_error(r, node->at, "a mapping of \"allow\" and \"deny\" is needed here");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];

		if (!str_equal(pair->key, STR("allow")) && !str_equal(pair->key, STR("deny")))
			reader_error(r, pair->at, "\"%.*s\" is not known here (allow, deny)",
				     STR_FMT(pair->written));
	}
	read_rule(r, node, "allow");
	read_rule(r, node, "deny");
}

size_t policy_rules_max(const struct yaml_node *node)
{
	size_t count = node && node->kind == YAML_SEQUENCE ? node->count : 1;

	return 2 * (count > POLICY_RULES_MAX ? POLICY_RULES_MAX : count);
}

void policy_rules_read(struct reader *r, const struct yaml_node *node)
{
	size_t mark = reader_enter(r, ".policy");

	if (node->kind == YAML_SEQUENCE && node->count > POLICY_RULES_MAX) {
		reader_error(r, node->at, "more than %d rules in one route", POLICY_RULES_MAX);
	} else if (node->kind == YAML_SEQUENCE) {
		for (size_t i = 0; i < node->count; i++) {
			size_t item = reader_enter(r, "[%zu]", i);

			read_rules(r, node->items[i]);
			reader_leave(r, item);
		}
	} else {
		read_rules(r, node);
	}
	reader_leave(r, mark);
}
