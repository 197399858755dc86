/*
 * routes.c - one route after the other: what kind, then its settings, then what contradicts
 *
 * The kind comes first, because settings that would be refused on a tunnel do no harm on a route that is
 * skipped. Two routes under one name are allowed, as in the reference, where the first always wins; the
 * operator is told. Two routes with the same from and to are a mistake.
 */

#include "config/routes.h"

#include "base/map.h"
#include "base/mem.h"
#include "config/config_issuers.h"
#include "config/key_files.h"
#include "config/names.h"

#define DEPENDS_ON_MAX 5

struct routes {
	struct loader *loader;
	const struct options *options;
	struct config *config;
	struct config_lifetime lifetime; /* what is set for all */
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

/* A route, in words for a message about another one. */
static struct str describe(struct routes *r, const struct config_route *route,
			   const struct config_route *reader)
{
	bool is_near = route->at.file == reader->at.file;

	if (is_near || !route->at.file)
		return arena_printf(r->loader->arena, "the route in line %u", route->at.line);
	return arena_printf(r->loader->arena, "the route in %s:%u", route->at.file, route->at.line);
}

/* Returns false, reported, for a route that must not be there. */
static bool claim_id(struct routes *r, const struct value_path *path, struct config_route *route,
		     const struct list_value *to)
{
	_cleanup_(mem_freep) char *id = format_id(route, to);
	const struct config_route *other = map_get(&r->ids, str_from(id));

	if (other) {
		loader_key_error(r->loader, path, route->at,
				 "has the same from and to as %.*s; put their policies into one",
				 STR_FMT(describe(r, other, route)));
		return false;
	}
	(void)map_put(&r->ids, str_from(id), route);
	return true;
}

static void claim_name(struct routes *r, const struct value_path *path, struct config_route *route,
		       struct str name, struct position at)
{
	_cleanup_(mem_freep) char *lower = str_copy_lower(name);
	const struct config_route *first = map_get(&r->names, str_from(lower));

	if (first)
		loader_value_warning(r->loader, path, at,
				     "%.*s answers for %.*s already; this one never will",
				     STR_FMT(describe(r, first, route)), STR_FMT(name));
	else
		(void)map_put(&r->names, str_from(lower), route);
}

static void claim_names(struct routes *r, const struct value_path *path, struct config_route *route,
			struct position at)
{
	if (route->wildcard.len)
		claim_name(r, path, route, route->wildcard, at);
	for (size_t i = 0; i < route->name_count; i++)
		claim_name(r, path, route, route->names[i].text, at);
}

/*
 * configuration.md 7.1. Hosts or URLs; of a URL the host counts. A browser would be led to them to get its cookie there as well
 * (protocol.md 3.3, 3.4). A program asks the login API, whose addresses name no other hosts (3.1), and its token is good on all.
 */
static void check_depends_on(struct loader *l, const struct value_path *up,
			     const struct list_value *list)
{
	struct value_path path = { .up = up, .key = STR("depends_on") };

	if (list->count > DEPENDS_ON_MAX)
		loader_value_error(l, &path, list->at, "has more than %d hosts", DEPENDS_ON_MAX);
	for (size_t i = 0; i < list->count; i++) {
		struct value_path item = { .up = &path, .index = i };
		struct str text = list->items[i].text;
		bool is_url = str_find(text, '/') < text.len;
		struct authority host;
		struct url url;

		if ((is_url ? url_parse(text, &url, NULL)
			    : authority_parse(text, false, &host, NULL)) < 0)
			loader_value_error(l, &item, list->items[i].at,
					   "\"%.*s\" is neither a host nor a URL", STR_FMT(text));
	}
	if (list->count)
		loader_key_warning(l, &path, list->at,
				   "has no effect on tunnels: one login is good for all routes");
}

/* Neither has an effect on a tunnel, but whoever wrote both must not be told that all is well. */
static void check_rewrites(struct loader *l, const struct value_path *path,
			   const struct yaml_node *node)
{
	const struct yaml_node *prefix = yaml_get(node, STR("prefix_rewrite"));
	const struct yaml_node *pattern = yaml_get(node, STR("regex_rewrite_pattern"));

	if (prefix && pattern && !str_is_empty(prefix->text) && !str_is_empty(pattern->text))
		loader_value_error(l, path, pattern->at,
				   "prefix_rewrite and regex_rewrite_pattern exclude each other");
}

static void read_settings(struct routes *r, const struct value_path *path,
			  const struct route_options *o, struct config_route *route)
{
	struct loader *l = r->loader;
	struct arena *arena = &r->config->arena;
	const struct pem_source client_ca = { path, "tls_downstream_client_ca", &o->client_ca,
					      "CERTIFICATE" };

	route_read_access(l, path, &o->access, arena, &route->access);
	route_read_idp(l, path, o, r->config, &route->idp);
	route_read_upstream(l, path, o, r->options, r->config, &route->upstream);
	route_read_lifetime(l, path, o, &r->lifetime, &route->lifetime);
	check_depends_on(l, path, &o->depends_on);
	route->client_ca_pem = pem_load(l, &client_ca, r->config);
	route->client_ca_at = sourced_position(&o->client_ca);
	route->name = arena_copy(arena, o->name.text);
	route->description = arena_copy(arena, o->description.text);
}

/* What there is for TCP only is named rather than silently without effect. */
static void leave_out_tcp(struct loader *l, const struct value_path *up,
			  const struct route_options *o, struct config_upstream *upstream)
{
	struct value_path checks = { .up = up, .key = STR("health_checks") };
	struct value_path header = { .up = up, .key = STR("upstream_proxy_protocol") };

	if (upstream->check_count > 0)
		loader_key_warning(l, &checks, o->upstream.checks.at,
				   "has no effect on a UDP route");
	if (upstream->proxy_header != CONFIG_PROXY_HEADER_NONE)
		loader_key_warning(l, &header, o->upstream.proxy_header.at,
				   "has no effect on a UDP route");
	upstream->check_count = 0;
	upstream->proxy_header = CONFIG_PROXY_HEADER_NONE;
}

static void load_tunnel_route(struct routes *r, const struct value_path *path,
			      const struct yaml_node *node, bool is_udp)
{
	struct loader *l = r->loader;
	struct arena *arena = &r->config->arena;
	struct value_path from_path = { .up = path, .key = STR("from") };
	struct value_path to_path = { .up = path, .key = STR("to") };
	struct route_options options = { .at = node->at };
	struct config_route route = { .at = node->at,
				      .digest = yaml_digest(node),
				      .is_udp = is_udp };
	size_t errors_before = l->report->error_count;
	char text[VALUE_PATH_TEXT_MAX];

	schema_load(l, path, node, &route_schema, &options);
	check_rewrites(l, path, node);
	read_settings(r, path, &options, &route);
	if (is_udp)
		leave_out_tcp(l, path, &options, &route.upstream);
	(void)route_read_from(l, &from_path, &options.from, arena, &route); /* counted below */
	if (value_is_set(options.to.at))
		(void)route_read_to(l, &to_path, &options.to, arena, &route);
	else if (l->report->error_count == errors_before)
		loader_key_error(l, path, node->at, "needs a to: %s://host:port",
				 is_udp ? "udp" : "tcp");
	if (l->report->error_count > errors_before)
		return;

	value_path_format(path, text);
	route.path = arena_copy(arena, str_from(text));
	struct config_route *place = &r->items[r->count];
	*place = route;
	if (!claim_id(r, path, place, &options.to))
		return;
	r->count++;
	claim_names(r, &from_path, place, options.from.at);
}

/* Skipped, but not without a word about what the reference would refuse (configuration.md 5). */
static void skip_route(struct loader *l, const struct value_path *path,
		       const struct yaml_node *from)
{
	struct str scheme = str_first(from->text, str_find(from->text, ':'));
	struct str rest = str_from_pos(from->text, scheme.len + strlen("://"));
	bool is_http = str_equal_nocase(scheme, STR("https")) ||
		       str_equal_nocase(scheme, STR("http"));

	if (is_http && str_find(rest, '/') + 1 < rest.len)
		loader_value_error(l, path, from->at, "\"%.*s\" contains a path",
				   STR_FMT(from->text));
	else
		loader_value_warning(l, path, from->at,
				     "routes for %.*s:// are not supported yet; this route is "
				     "skipped",
				     STR_FMT(scheme));
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
		load_tunnel_route(r, path, node, false);
		return;
	case ROUTE_UDP:
		load_tunnel_route(r, path, node, true);
		return;
	case ROUTE_LATER:
		skip_route(l, &from_path, from);
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
	struct routes r = { .loader = l, .options = options, .config = config };
	struct value_path write = { .key = STR("timeout_write") };
	struct value_path reauthorization = { .key = STR("tunnel_reauthorization") };

	r.lifetime.timeout_ms = milliseconds_read(l, &write, &options->timeouts.write, 0);
	r.lifetime.reauthorize = reauthorization_read(l, &reauthorization,
						      &options->reauthorization, true);

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
