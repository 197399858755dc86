/*
 * The list of what somebody may use (protocol.md 4.5).
 *
 * The policy of each route is asked as it would be for a tunnel, now and from here: a list that showed what is refused, or
 * kept back what is not, would only cause questions.
 */

#include "base/json.h"
#include "base/map.h"
#include "proxy/authorize.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"

#define ROUTES_JSON_MAX (8u << 20)

/* "tcp+https://host:port" without what is in front of the host. */
static struct str without_scheme(struct str from)
{
	size_t colon = str_find(from, ':');

	return str_starts_with(str_from_pos(from, colon), STR("://"))
		       ? str_from_pos(from, colon + 3)
		       : from;
}

static struct str type_of(const struct config_route *route)
{
	return str_starts_with_nocase(route->from, STR("udp+")) ? STR("udp") : STR("tcp");
}

/* What a client has to name: with a path the whole, which says where the gateway is. */
static struct str destination_of(const struct config_route *route)
{
	struct str rest = without_scheme(route->from);

	return str_find(rest, '/') < rest.len ? route->from : rest;
}

static struct str requested_name(const struct config_route *route)
{
	if (route->name_count)
		return route->names[0].text;
	return route->wildcard;
}

/* The exchange is not changed: the question is put about a copy of it. */
static bool may_use(const struct exchange *x, struct route *route)
{
	struct exchange tunnel = *x;
	struct decision decision;

	tunnel.route = route;
	tunnel.endpoint = NULL;
	tunnel.facts.method = STR("CONNECT");
	tunnel.facts.authority = requested_name(route->config);
	tunnel.facts.path = (struct str){ 0 };
	(void)authorize_decide(&tunnel, &decision); /* only for now */
	return decision.outcome == POLICY_ALLOW;
}

/* The host alone, as long as no other route of the list has it; names are unique within the list. */
static struct str generate_name(struct exchange *x, const struct map *taken,
				const struct route *route)
{
	struct str destination = requested_name(route->config);
	struct str host = str_first(destination, str_find_last(destination, ':'));

	if (!map_get(taken, host))
		return host;
	if (!map_get(taken, destination))
		return destination;
	return arena_printf(&x->arena, "%.*s %s", STR_FMT(destination), route->id);
}

static void write_member(struct json_writer *w, const char *name, struct str value)
{
	json_key(w, str_from(name));
	json_text(w, value);
}

static void write_route(struct exchange *x, struct json_writer *w, struct map *taken,
			struct route *route)
{
	const struct config_route *config = route->config;
	struct str name = config->name;
	struct str type = type_of(config);

	if (str_is_empty(name))
		name = generate_name(x, taken, route);
	(void)map_put(taken, name, route);
	json_object_begin(w);
	write_member(w, "id", str_from(route->id));
	write_member(w, "name", name);
	write_member(w, "type", type);
	write_member(w, "from", config->from);
	write_member(w, "description", config->description);
	write_member(w, "connect_command",
		     arena_printf(&x->arena, "pomerium-cli %.*s %.*s", STR_FMT(type),
				  STR_FMT(destination_of(config))));
	write_member(w, "logo_url", STR(""));
	json_object_end(w);
}

static void write_routes(struct exchange *x, struct buf *out)
{
	const struct route_table *table = &x->snapshot->routes;
	struct json_writer w = { .out = out };
	struct map taken;

	map_init(&taken);
	json_object_begin(&w);
	json_key(&w, STR("routes"));
	json_array_begin(&w);
	for (size_t i = 0; i < table->count; i++)
		if (may_use(x, &table->routes[i]))
			write_route(x, &w, &taken, &table->routes[i]);
	json_array_end(&w);
	json_object_end(&w);
	(void)buf_append_char(out, '\n'); /* looked at by the caller */
	map_done(&taken);
}

enum step endpoint_routes(struct exchange *x)
{
	struct reply reply = { .status = 200 };
	struct buf text = BUF_INIT(ROUTES_JSON_MAX);

	write_routes(x, &text);
	if (text.is_overflown) {
		buf_done(&text);
		return respond_error(x, 500, STR("There are too many routes to list them."));
	}
	reply.body = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	reply_header(&reply, STR("content-type"), STR("application/json"));
	reply_header(&reply, STR("cache-control"), STR("no-store"));
	reply_header(&reply, STR("x-content-type-options"), STR("nosniff"));
	return reply_send(x, &reply);
}
