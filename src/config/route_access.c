/*
 * route_access.c - who may: the fields of a route, and what of them contradicts (policy-language.md 13)
 *
 * The policy language itself is read by src/policy, from a copy of the nodes.
 */

#include "config/routes.h"

struct contradiction {
	const char *setting;
	const char *other;
	struct position at; /* of the setting; line 0: it does not ask for anything */
	struct position other_at;
};

static struct position position_if(const struct bool_value *value)
{
	return value->is_true ? value->at : (struct position){ 0 };
}

/* A list that is there counts, even an empty one. */
static void check_contradictions(struct loader *l, const struct value_path *path,
				 const struct route_access_options *o)
{
	const char *public_name = "allow_public_unauthenticated_access";
	const char *any_name = "allow_any_authenticated_user";
	struct position public_at = position_if(&o->allow_public_unauthenticated_access);
	struct position any_at = position_if(&o->allow_any_authenticated_user);
	const struct contradiction rows[] = {
		{ public_name, any_name, public_at, any_at },
		{ public_name, "allowed_domains", public_at, o->allowed_domains.at },
		{ public_name, "allowed_users", public_at, o->allowed_users.at },
		{ public_name, "allowed_groups", public_at, o->allowed_groups.at },
		{ any_name, "allowed_domains", any_at, o->allowed_domains.at },
		{ any_name, "allowed_users", any_at, o->allowed_users.at },
		{ any_name, "allowed_groups", any_at, o->allowed_groups.at },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (value_is_set(rows[i].at) && value_is_set(rows[i].other_at))
			loader_value_error(l, path, rows[i].at, "%s and %s exclude each other",
					   rows[i].setting, rows[i].other);
}

/* An empty entry would match whoever has no address; one with blanks never matches anybody. */
static void check_entries(struct loader *l, const struct value_path *path, struct str key,
			  const struct list_value *list)
{
	struct value_path here = { .up = path, .key = key };

	for (size_t i = 0; i < list->count; i++) {
		struct value_path item = { .up = &here, .index = i };
		const struct text_value *value = &list->items[i];

		if (str_is_empty(value->text))
			loader_value_error(l, &item, value->at, "must not be empty");
		else if (str_trim(value->text).len != value->text.len)
			loader_value_warning(l, &item, value->at,
					     "\"%.*s\" has blanks around it and matches nobody",
					     STR_FMT(value->text));
	}
}

static void check_claim_values(struct loader *l, const struct value_path *path,
			       const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR)
		return;
	if (node->kind != YAML_SEQUENCE) {
		loader_value_error(l, path, node->at, "must be a value or a list of values");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		struct value_path item = { .up = path, .index = i };

		if (node->items[i]->kind != YAML_SCALAR)
			loader_value_error(l, &item, node->items[i]->at, "must be a value");
	}
}

static const struct yaml_node *read_claims(struct loader *l, const struct value_path *up,
					   const struct yaml_node *node, struct arena *arena)
{
	struct value_path path = { .up = up, .key = STR("allowed_idp_claims") };

	if (!node)
		return NULL;
	if (node->kind != YAML_MAPPING) {
		loader_value_error(l, &path, node->at,
				   "must be a mapping of claims to lists of values");
		return NULL;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		struct value_path here = { .up = &path, .key = pair->written };

		if (str_is_empty(pair->written))
			loader_value_error(l, &path, pair->at, "a claim needs a name");
		else
			check_claim_values(l, &here, pair->value);
	}
	return yaml_copy_node(node, arena);
}

static const struct yaml_node *read_policy(struct loader *l, const struct value_path *up,
					   const struct yaml_node *node, struct arena *arena)
{
	struct value_path path = { .up = up, .key = STR("policy") };

	if (!node)
		return NULL;
	if (node->kind == YAML_SCALAR) {
		loader_value_error(l, &path, node->at,
				   "must be a mapping or a list of rules, not a text");
		return NULL;
	}
	return yaml_copy_node(node, arena);
}

void route_read_access(struct loader *l, const struct value_path *path,
		       const struct route_access_options *o, struct arena *arena,
		       struct config_access *ret)
{
	check_contradictions(l, path, o);
	check_entries(l, path, STR("allowed_users"), &o->allowed_users);
	check_entries(l, path, STR("allowed_domains"), &o->allowed_domains);
	check_entries(l, path, STR("allowed_groups"), &o->allowed_groups);
	*ret = (struct config_access){
		.allowed_users = list_value_copy(&o->allowed_users, arena),
		.allowed_domains = list_value_copy(&o->allowed_domains, arena),
		.allowed_groups = list_value_copy(&o->allowed_groups, arena),
		.allowed_idp_claims = read_claims(l, path, o->allowed_idp_claims, arena),
		.policy = read_policy(l, path, o->policy, arena),
		.allow_any_authenticated_user = o->allow_any_authenticated_user.is_true,
		.allow_public_unauthenticated_access =
			o->allow_public_unauthenticated_access.is_true,
	};
}
