/*
 * policy_legacy.c - allowed_users and its like as rules (policy-language.md 13)
 *
 * They are alternatives, so each may be a rule of its own: rules of one action are merged like members of an "or", and the
 * name of the setting is the name of what decided. A list is one member with a set, not one per entry: the verdict
 * is the same.
 */

#include "policy/policy_parts.h"

static struct member *add_rule(struct reader *r, const char *name, size_t member_count)
{
	struct member *members = arena_alloc_array(&r->policy->arena, member_count,
						   sizeof(*members));
	struct group *group = arena_alloc(&r->policy->arena, sizeof(*group));

	*group = (struct group){
		.operator= OPERATOR_OR,
		.members = members,
		.count = member_count,
	};
	r->rules[r->rule_count++] = (struct rule){ .name = name, .groups = group, .count = 1 };
	return members;
}

static struct str list_text(struct reader *r, const struct config_list *list)
{
	struct buf out = BUF_INIT(POLICY_TEXT_MAX);

	(void)buf_append_char(&out, '[');
	for (size_t i = 0; i < list->count && !out.is_overflown; i++)
		(void)buf_printf(&out, "%s%.*s", i ? ", " : "", STR_FMT(list->items[i]));
	(void)buf_append_char(&out, ']');
	return reader_keep_text(r, &out);
}

static struct member flag_member(const char *criterion)
{
	return (struct member){
		.criterion = criterion_find(str_from(criterion)),
		.name = criterion,
		.text = STR("true"),
	};
}

static struct member list_member(struct reader *r, const char *criterion, enum match_op op,
				 const struct config_list *list)
{
	return (struct member){
		.criterion = criterion_find(str_from(criterion)),
		.name = criterion,
		.text = list_text(r, list),
		.matcher = matcher_make(r, op, list->items, list->count),
	};
}

/* ---- allowed_idp_claims ---- */

static size_t read_claim_value(struct reader *r, const struct yaml_node *node,
			       struct policy_value *values, size_t count)
{
	if (value_read(r, node, &values[count]))
		return count + 1;
	reader_error(r, node->at, "a text, a number or a boolean is needed here");
	return count;
}

static struct matcher read_claim_values(struct reader *r, const struct yaml_node *node)
{
	struct arena *arena = &r->policy->arena;
	bool is_list = node->kind == YAML_SEQUENCE;
	struct policy_value *values = arena_alloc_array(arena, is_list ? node->count : 1,
							sizeof(*values));
	struct match_test *test = arena_alloc(arena, sizeof(*test));
	size_t count = 0;

	if (!is_list)
		count = read_claim_value(r, node, values, count);
	for (size_t i = 0; is_list && i < node->count; i++)
		count = read_claim_value(r, node->items[i], values, count);
	*test = (struct match_test){ .op = MATCH_HAS, .operands = match_set_make(values, count) };
	return (struct matcher){ .tests = test, .count = 1 };
}

static void read_claims(struct reader *r, const struct yaml_node *node)
{
	if (node->kind != YAML_MAPPING) {
		reader_error(r, node->at, "a mapping of claims to values is needed here");
		return;
	}
	struct member *members = add_rule(r, "allowed_idp_claims", node->count);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		size_t mark = reader_enter(r, ".%.*s", STR_FMT(pair->written));

		members[i] = (struct member){
			.criterion = criterion_find(STR("claim")),
			.name = arena_printf(&r->policy->arena, "claim/%.*s",
					     STR_FMT(pair->written))
					.at,
			.at = reader_keep(r, pair->at),
			.text = reader_text(r, pair->value),
			.claim = claim_test_make(r, pair->written, pair->key),
		};
		members[i].claim.values = read_claim_values(r, pair->value);
		reader_leave(r, mark);
	}
}

/* ---- all of them ---- */

void legacy_rules_make(struct reader *r, const struct config_access *access)
{
	const struct yaml_node *claims = access->allowed_idp_claims;
	struct member *members;

	if (access->allow_public_unauthenticated_access)
		*add_rule(r, "allow_public_unauthenticated_access", 1) = flag_member("accept");
	if (access->allow_any_authenticated_user)
		*add_rule(r, "allow_any_authenticated_user", 1) = flag_member("authenticated_user");
	if (access->allowed_domains.count)
		*add_rule(r, "allowed_domains", 1) = list_member(r, "domain", MATCH_IN,
								 &access->allowed_domains);
	if (access->allowed_groups.count)
		*add_rule(r, "allowed_groups", 1) = list_member(r, "groups", MATCH_HAS,
								&access->allowed_groups);
	if (claims && claims->kind != YAML_NULL && claims->count + (claims->kind == YAML_SCALAR)) {
		size_t mark = reader_enter(r, ".allowed_idp_claims");

		read_claims(r, claims);
		reader_leave(r, mark);
	}
	if (access->allowed_users.count) {
		members = add_rule(r, "allowed_users", 2);
		members[0] = list_member(r, "user", MATCH_IN, &access->allowed_users);
		members[1] = list_member(r, "email", MATCH_IN, &access->allowed_users);
	}
}

/* What does not check any certificate is always satisfied (policy-language.md 9). */
void certificate_rule_make(struct reader *r)
{
	*add_rule(r, "downstream_mtls", 1) = flag_member("invalid_client_certificate");
	r->rules[r->rule_count - 1].is_deny = true;
}
