#include "cli/routes_list.h"

#include "base/buf.h"
#include "base/compiler.h"
#include "base/utf8.h"
#include "jose/json_strict.h"

#define DEPTH_MAX 16

static const struct {
	const char *name;
	size_t offset;
} members[] = {
	{ "id", offsetof(struct listed_route, id) },
	{ "name", offsetof(struct listed_route, name) },
	{ "type", offsetof(struct listed_route, type) },
	{ "from", offsetof(struct listed_route, from) },
	{ "description", offsetof(struct listed_route, description) },
	{ "connect_command", offsetof(struct listed_route, connect_command) },
};

static struct str copy_for_terminal(struct arena *arena, struct str text)
{
	struct buf shown = BUF_INIT(text.len);
	struct str copy;

	(void)utf8_append_shown(&shown, text); /* not longer than before */
	copy = arena_copy(arena, buf_view(&shown));
	buf_done(&shown);
	return copy;
}

static int read_route(const json_t *object, struct arena *arena, struct listed_route *ret,
		      struct err *e)
{
	if (!json_is_object(object))
		return err_set(e, ERR_PROTOCOL, "one of the routes is not an object");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *value = json_object_get(object, members[i].name);
		struct str *member = (struct str *)((char *)ret + members[i].offset);

		if (!value || json_is_null(value))
			continue;
		if (!json_is_string(value))
			return err_set(e, ERR_PROTOCOL, "the %s of a route is not text",
				       members[i].name);
		*member = copy_for_terminal(
			arena, str_of(json_string_value(value), json_string_length(value)));
	}
	return 0;
}

static int read_routes(const json_t *array, struct routes_list *list, struct err *e)
{
	size_t count = json_array_size(array);

	if (!json_is_array(array))
		return err_set(e, ERR_PROTOCOL, "there is no list of routes in it");
	list->routes = arena_alloc_array(&list->arena, count, sizeof(*list->routes));
	for (size_t i = 0; i < count; i++)
		if (read_route(json_array_get(array, i), &list->arena, &list->routes[i], e) < 0)
			return -1;
	list->count = count;
	return 0;
}

int routes_list_parse(struct str json, struct routes_list *ret, struct err *e)
{
	struct routes_list list = { 0 };
	json_t *root = json_strict_read(json, DEPTH_MAX, e);
	int result = -1;

	if (root)
		result = read_routes(json_object_get(root, "routes"), &list, e);
	json_decref(root);
	if (result < 0) {
		routes_list_done(&list);
		return err_wrap(e, "the list of routes makes no sense");
	}
	*ret = list;
	return 0;
}

void routes_list_done(struct routes_list *list)
{
	arena_done(&list->arena);
	*list = (struct routes_list){ 0 };
}

/* ---- choosing ---- */

struct str listed_route_destination(const struct listed_route *route)
{
	struct str command = route->connect_command;
	size_t blank = str_find_last(command, ' ');

	if (!str_equal(route->type, STR("tcp")) && !str_equal(route->type, STR("udp")))
		return STR("");
	return blank < command.len ? str_from_pos(command, blank + 1) : STR("");
}

/* "redis" of "redis.example.com:6379" and of "tcp+https://gateway/redis.example.com:6379" */
static struct str first_label(struct str destination)
{
	size_t slash = str_find_last(destination, '/');
	struct str host = slash < destination.len ? str_from_pos(destination, slash + 1)
						  : destination;
	struct str label = str_first(host, str_find(host, '.'));

	return str_first(label, str_find(label, ':'));
}

static bool is_called(const struct listed_route *route, struct str name)
{
	return str_equal(route->name, name) || str_equal(route->id, name) ||
	       str_equal_nocase(listed_route_destination(route), name);
}

const struct listed_route *routes_list_find(const struct routes_list *list, struct str name)
{
	const struct listed_route *found = NULL;

	for (size_t i = 0; i < list->count; i++)
		if (is_called(&list->routes[i], name))
			return &list->routes[i];
	for (size_t i = 0; i < list->count; i++) {
		if (!str_equal_nocase(first_label(listed_route_destination(&list->routes[i])),
				      name))
			continue;
		if (found)
			return NULL;
		found = &list->routes[i];
	}
	return found;
}
