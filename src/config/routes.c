/*
 * routes.c - one route after the other: what kind, then its settings, then what contradicts
 *
 * The kind comes first, because settings that would be refused on a TCP route do no harm on a route that is
 * skipped. Two routes under one name are allowed, as in the reference, where the first always wins; the
 * operator is told. Two routes with the same from and to are a mistake.
 */

#include "config/routes.h"

#include "base/map.h"
#include "base/mem.h"
#include "config/config_issuers.h"

struct routes {
	struct loader *loader;
	struct config *config;
	struct config_route *items;
	size_t count;
	struct map names; /* lower-cased name -> route that has it */
	struct map ids;   /* from and to -> route */
};

/* A key that is equal for equal upstreams under equal names; release with mem_free(). */
static char *format_id(const struct config_route *route, const struct list_value *to)
{
	struct buf id = BUF_INIT(CONFIG_FILE_MAX);

	(void)buf_append_str(&id, route->from); /* the file it comes from is not larger */
	for (size_t i = 0; i < to->count; i++) {
		(void)buf_append_char(&id, '\n');
		(void)buf_append_str(&id, to->items[i].text);
	}
	char *lower = str_copy_lower(buf_view(&id));
	buf_done(&id);
	return lower;
}

/* Returns false, reported, for a route that must not be there. */
static bool claim_id(struct routes *r, const struct value_path *path, struct config_route *route,
		     const struct list_value *to)
{
	_cleanup_(mem_freep) char *id = format_id(route, to);
	const struct config_route *other = map_get(&r->ids, str_from(id));

	if (other) {
		loader_key_error(r->loader, path, route->at,
				 "has the same from and to as the route in line %u; "
				 "put their policies into one",
				 other->at.line);
		return false;
	}
	(void)map_put(&r->ids, str_from(id), route);
	return true;
}

static void claim_names(struct routes *r, const struct value_path *path, struct config_route *route,
			struct position at)
{
	for (size_t i = 0; i < route->name_count; i++) {
		struct str name = route->names[i].text;
		_cleanup_(mem_freep) char *lower = str_copy_lower(name);
		const struct config_route *first = map_get(&r->names, str_from(lower));

		if (first)
			loader_value_warning(r->loader, path, at,
					     "the route in line %u answers for %.*s already; this "
					     "one never will",
					     first->at.line, STR_FMT(name));
		else
			(void)map_put(&r->names, str_from(lower), route);
	}
}

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

/* policy-language.md 13: a list that is there counts, even an empty one. */
static void check_contradictions(struct loader *l, const struct value_path *path,
				 const struct route_options *o)
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

static void fill_route(struct arena *arena, const struct route_options *o,
		       struct config_route *route)
{
	route->name = arena_copy(arena, o->name.text);
	route->description = arena_copy(arena, o->description.text);
	route->access.allowed_users = list_value_copy(&o->allowed_users, arena);
	route->access.allowed_domains = list_value_copy(&o->allowed_domains, arena);
	route->access.allowed_groups = list_value_copy(&o->allowed_groups, arena);
	route->access.allow_any_authenticated_user = o->allow_any_authenticated_user.is_true;
	route->access.allow_public_unauthenticated_access =
		o->allow_public_unauthenticated_access.is_true;
}

static void load_tcp_route(struct routes *r, const struct value_path *path,
			   const struct yaml_node *node)
{
	struct loader *l = r->loader;
	struct arena *arena = &r->config->arena;
	struct value_path from_path = { .up = path, .key = STR("from") };
	struct value_path to_path = { .up = path, .key = STR("to") };
	struct route_options options = { .at = node->at };
	struct config_route route = {
		.at = node->at,
		.upstream = { .breakers = { UINT64_MAX, UINT64_MAX }, .panic_percent = 50 },
		.lifetime = { .max_tunnels = UINT64_MAX },
	};
	size_t errors_before = l->report->error_count;

	schema_load(l, path, node, &route_schema, &options);
	check_contradictions(l, path, &options);
	route_read_idp(l, path, &options, r->config, &route.idp);
	check_entries(l, path, STR("allowed_users"), &options.allowed_users);
	check_entries(l, path, STR("allowed_domains"), &options.allowed_domains);
	check_entries(l, path, STR("allowed_groups"), &options.allowed_groups);
	(void)route_read_from(l, &from_path, &options.from, arena, &route); /* counted below */
	if (value_is_set(options.to.at))
		(void)route_read_to(l, &to_path, &options.to, arena, &route);
	else if (l->report->error_count == errors_before)
		loader_key_error(l, path, node->at, "needs a to: tcp://host:port");
	if (l->report->error_count > errors_before)
		return;

	fill_route(arena, &options, &route);
	struct config_route *place = &r->items[r->count];
	*place = route;
	if (!claim_id(r, path, place, &options.to))
		return;
	r->count++;
	claim_names(r, &from_path, place, options.from.at);
}

static void load_route(struct routes *r, const struct value_path *path,
		       const struct yaml_node *node)
{
	struct loader *l = r->loader;
	struct value_path from_path = { .up = path, .key = STR("from") };

	if (node->kind != YAML_MAPPING) {
		loader_value_error(l, path, node->at, "must be a mapping with from and to");
		return;
	}
	const struct yaml_node *from = yaml_get(node, STR("from"));
	if (!from || from->kind == YAML_NULL) {
		loader_key_error(l, path, node->at, "needs a from: tcp+https://host:port");
		return;
	}
	if (from->kind != YAML_SCALAR) {
		loader_value_error(l, &from_path, from->at, "must be a text");
		return;
	}
	switch (route_kind_of(from->text)) {
	case ROUTE_TCP:
		load_tcp_route(r, path, node);
		return;
	case ROUTE_LATER:
		loader_value_warning(l, &from_path, from->at,
				     "routes for %.*s:// are not supported yet; this route is "
				     "skipped",
				     STR_FMT(str_first(from->text, str_find(from->text, ':'))));
		return;
	case ROUTE_INVALID:
		loader_value_error(l, &from_path, from->at,
				   "\"%.*s\" is not a source URL (tcp+https://host:port)",
				   STR_FMT(from->text));
		return;
	}
}

static size_t count_entries(struct loader *l, const char *key, const struct yaml_node *list)
{
	struct value_path path = { .key = str_from(key) };

	if (!list || list->kind == YAML_NULL)
		return 0;
	if (list->kind == YAML_SEQUENCE)
		return list->count;
	loader_value_error(l, &path, list->at, "must be a list of routes");
	return 0;
}

static void load_list(struct routes *r, const char *key, const struct yaml_node *list, size_t count)
{
	struct value_path path = { .key = str_from(key) };

	for (size_t i = 0; i < count; i++) {
		struct value_path item = { .up = &path, .index = i };

		load_route(r, &item, list->items[i]);
	}
}

void routes_load(struct loader *l, const struct options *options, struct config *config)
{
	size_t policy_count = count_entries(l, "policy", options->policy);
	size_t routes_count = count_entries(l, "routes", options->routes);
	size_t count = policy_count + routes_count;
	struct routes r = { .loader = l, .config = config };

	if (count > CONFIG_ROUTES_MAX) {
		loader_value_error(l, NULL, (struct position){ .file = options->file },
				   "there are more than %d routes", CONFIG_ROUTES_MAX);
		return;
	}
	if (!count)
		return;
	/* allocated once: the maps point into it */
	r.items = arena_alloc_array(&config->arena, count, sizeof(*r.items));
	map_init(&r.names);
	map_init(&r.ids);
	load_list(&r, "policy", options->policy, policy_count);
	load_list(&r, "routes", options->routes, routes_count);
	map_done(&r.names);
	map_done(&r.ids);
	config->routes = r.items;
	config->route_count = r.count;
}
