/*
 * route_from.c - under which names a route answers
 *
 *	from = ("tcp" | "udp") "+" ("https" | "http") "://" host [ ":" port ] { "/" host [ ":" port ] }
 *
 * The host may contain any number of *, each of which stands for any text; the route then has no names but a
 * wildcard. With a path the host only tells people where the gateway is, and the path's elements are the names.
 */

#include "config/routes.h"

#define NAMES_MAX 256

enum route_kind route_kind_of(struct str from)
{
	static const struct {
		const char *scheme;
		enum route_kind kind;
	} schemes[] = {
		{ "tcp+https", ROUTE_TCP }, { "tcp+http", ROUTE_TCP },  { "https", ROUTE_LATER },
		{ "http", ROUTE_LATER },    { "udp+https", ROUTE_UDP }, { "udp+http", ROUTE_UDP },
		{ "ssh", ROUTE_LATER },
	};
	struct str scheme = str_first(from, str_find(from, ':'));

	if (!str_starts_with(str_from_pos(from, scheme.len), STR("://")))
		return ROUTE_INVALID;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_equal_nocase(scheme, str_from(schemes[i].scheme)))
			return schemes[i].kind;
	return ROUTE_INVALID;
}

static int read_name(struct loader *l, const struct value_path *path, const struct text_value *from,
		     struct str text, struct authority *ret)
{
	struct err e = { 0 };

	if (authority_parse(text, true, ret, &e) < 0) {
		loader_value_error(l, path, from->at, "\"%.*s\": %s", STR_FMT(from->text), e.text);
		return -1;
	}
	return 0;
}

static bool has_star(const struct authority *name)
{
	return str_find(name->host, '*') < name->host.len;
}

static int refuse_star(struct loader *l, const struct value_path *path,
		       const struct text_value *from)
{
	loader_value_error(l, path, from->at,
			   "\"%.*s\": a * works only without a path, as in "
			   "tcp+https://*.example.com:22",
			   STR_FMT(from->text));
	return -1;
}

static size_t count_slashes(struct str s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++)
		count += s.at[i] == '/';
	return count;
}

static int read_path(struct loader *l, const struct value_path *path, const struct text_value *from,
		     struct str rest, struct authority *names)
{
	struct str item;

	for (size_t i = 0; str_cut(&rest, '/', &item); i++) {
		if (str_is_empty(item)) {
			loader_value_error(l, path, from->at,
					   "\"%.*s\" has an empty path element; remove the slash",
					   STR_FMT(from->text));
			return -1;
		}
		if (read_name(l, path, from, item, &names[i]) < 0)
			return -1;
		if (has_star(&names[i]))
			return refuse_star(l, path, from);
	}
	return 0;
}

int route_read_from(struct loader *l, const struct value_path *path, const struct text_value *from,
		    struct arena *arena, struct config_route *route)
{
	struct str text = arena_copy(arena, from->text);
	struct str rest = str_from_pos(text, str_find(text, ':') + 3);
	struct str host = str_first(rest, str_find(rest, '/'));
	size_t count = count_slashes(rest);
	struct authority gateway;

	if (read_name(l, path, from, host, &gateway) < 0)
		return -1;
	if (count && has_star(&gateway))
		return refuse_star(l, path, from);
	route->from = text;
	if (has_star(&gateway)) {
		route->wildcard = gateway.text;
		return 0;
	}
	if (count > NAMES_MAX) {
		loader_value_error(l, path, from->at, "has more than %d names", NAMES_MAX);
		return -1;
	}
	struct authority *names = arena_alloc_array(arena, count ? count : 1, sizeof(*names));
	names[0] = gateway;
	if (count && read_path(l, path, from, str_from_pos(rest, host.len + 1), names) < 0)
		return -1;
	route->names = names;
	route->name_count = count ? count : 1;
	return 0;
}
