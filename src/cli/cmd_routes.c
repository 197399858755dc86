/*
 * routes list [SERVER-URL]: what the gateway lets the user use (protocol.md 8.8)
 */

#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/api_ask.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/routes_list.h"

struct routes {
	struct client client;
	struct destination server;
	bool wants_json;
};

static void print_member(const char *name, struct str value)
{
	printf("%s: %.*s\n", name, STR_FMT(value));
}

static void print_route(const struct listed_route *route)
{
	printf("Route %.*s\n", STR_FMT(route->name));
	print_member("id", route->id);
	print_member("type", route->type);
	print_member("from", route->from);
	print_member("description", route->description);
	if (!str_is_empty(route->connect_command))
		print_member("connect_command", route->connect_command);
	printf("\n");
}

static void write_member(struct json_writer *w, const char *name, struct str value)
{
	json_key(w, str_from(name));
	json_text(w, value);
}

static void write_route(struct json_writer *w, const struct listed_route *route)
{
	json_object_begin(w);
	write_member(w, "id", route->id);
	write_member(w, "name", route->name);
	write_member(w, "type", route->type);
	write_member(w, "from", route->from);
	write_member(w, "description", route->description);
	write_member(w, "connect_command", route->connect_command);
	json_object_end(w);
}

/* The member names are those of the gateway; what this program does not know is left out. */
static void print_json(const struct routes_list *list)
{
	struct buf text = BUF_INIT(2 * ROUTES_LIST_BODY_MAX);
	struct json_writer w = { .out = &text };

	json_object_begin(&w);
	json_key(&w, STR("routes"));
	json_array_begin(&w);
	for (size_t i = 0; i < list->count; i++)
		write_route(&w, &list->routes[i]);
	json_array_end(&w);
	json_object_end(&w);
	printf("%.*s\n", STR_FMT(buf_view(&text)));
	buf_done(&text);
}

static enum exit_status list_routes(const struct program *program, struct routes *routes,
				    const char *server_url)
{
	struct routes_list list = { 0 };
	enum exit_status status;
	struct err e;

	if (client_open(&routes->client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	if (client_find_server(&routes->client, server_url, &routes->server, &e) < 0)
		return program_complain(program_find(program, "routes"), e.text);
	status = api_ask_routes(&routes->client, client_account(&routes->client, &routes->server),
				&list);
	if (status == EXIT_STATUS_OK && routes->wants_json)
		print_json(&list);
	for (size_t i = 0; i < list.count && !routes->wants_json; i++)
		print_route(&list.routes[i]);
	routes_list_done(&list);
	return status;
}

enum exit_status cmd_routes_run(const struct program *program, const struct options *options)
{
	struct routes routes = { .wants_json = options->json };
	const char *server_url = options->argument_count > 1 ? options->arguments[1] : NULL;
	enum exit_status status;
	struct err e;

	if (strcmp(options->arguments[0], "list") != 0)
		return program_complain(program_find(program, "routes"),
					"routes is used as: routes list [SERVER-URL]");
	if (client_init(&routes.client, options, &e) < 0)
		status = program_complain(program_find(program, "routes"), e.text);
	else
		status = list_routes(program, &routes, server_url);
	client_done(&routes.client);
	destination_done(&routes.server);
	return status;
}
