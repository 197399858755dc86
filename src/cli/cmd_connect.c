/*
 * connect NAME... | --all: several tunnels at once (extensions.md 9)
 *
 * What is to be opened is found out first, completely: names of tunnels.yaml, then of the routes that the gateway lists, which is
 * asked only if a name is left. Nothing is opened if one of them cannot be found. The login that asking needs is that of all
 * the tunnels.
 */

#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/url.h"
#include "cli/api_ask.h"
#include "cli/client.h"
#include "cli/kept_tunnel.h"
#include "cli/options.h"
#include "cli/routes_list.h"
#include "cli/tunnels_file.h"

struct connect {
	struct client client;
	const struct options *options;
	struct tunnels_file file;
	bool has_file;
	struct routes_list list;
	struct destination server; /* who was asked for the list */
	struct kept_tunnel *tunnels[TUNNELS_MAX];
	size_t count;
};

static int read_file(struct connect *connect, struct err *e)
{
	_cleanup_(mem_freep) char *path = tunnels_file_path(getenv("XDG_CONFIG_HOME"),
							    getenv("HOME"));

	return tunnels_file_read(path, &connect->file, &connect->has_file, e);
}

static enum exit_status ask_for_list(struct connect *connect)
{
	struct err e;

	if (client_find_server(&connect->client, connect->options->pomerium_url, &connect->server,
			       &e) < 0)
		return client_complain(EXIT_STATUS_USAGE, &e);
	return api_ask_routes(&connect->client, client_account(&connect->client, &connect->server),
			      &connect->list);
}

/* ---- opening ---- */

/* The port of the destination itself, so that programs find it where they expect it. */
static int default_address(const struct destination *destination, struct local_address *ret,
			   struct err *e)
{
	struct authority target;

	if (authority_parse_connect(str_from(destination->target), &target, e) < 0 ||
	    local_address_parse("127.0.0.1:0", ret, e) < 0)
		return -1;
	addr_set_port(&ret->ip, target.port);
	return 0;
}

static int open_tunnel(struct connect *connect, struct str text, const char *gateway_url,
		       const char *listen, struct err *e)
{
	struct destination destination = { 0 };
	struct kept_tunnel_options options = { .client = &connect->client,
					       .destination = &destination,
					       .may_use_another_port = !listen };
	struct kept_tunnel *tunnel = NULL;

	if (connect->count == TUNNELS_MAX)
		return err_set(e, ERR_LIMIT, "there are too many tunnels");
	if (destination_parse(text, gateway_url, &destination, e) < 0)
		return -1;
	if ((listen ? local_address_parse(listen, &options.address, e)
		    : default_address(&destination, &options.address, e)) == 0)
		tunnel = kept_tunnel_open(&options, e);
	destination_done(&destination);
	if (!tunnel)
		return -1;
	connect->tunnels[connect->count++] = tunnel;
	return 0;
}

static int open_entry(struct connect *connect, const struct tunnels_entry *entry, struct err *e)
{
	if (open_tunnel(connect, str_from(entry->destination), connect->options->pomerium_url,
			entry->listen, e) < 0)
		return err_wrap(e, "%.64s", entry->name);
	return 0;
}

static int open_route(struct connect *connect, const struct listed_route *route, struct err *e)
{
	if (!str_equal(route->type, STR("tcp")))
		return err_set(e, ERR_CONFIG, "%.*s is not a TCP route",
			       STR_FMT(str_first(route->name, 64)));
	if (open_tunnel(connect, listed_route_destination(route), connect->server.gateway_url, NULL,
			e) < 0)
		return err_wrap(e, "%.*s", STR_FMT(str_first(route->name, 64)));
	return 0;
}

/* Routes with a '*' have no name to connect to; those of other kinds are not for this program. */
static bool can_be_opened(const struct listed_route *route)
{
	struct str destination = listed_route_destination(route);

	return str_equal(route->type, STR("tcp")) &&
	       str_find(destination, '*') == destination.len && !str_is_empty(destination);
}

static int open_all(struct connect *connect, struct err *e)
{
	for (size_t i = 0; i < connect->file.count; i++)
		if (open_entry(connect, &connect->file.entries[i], e) < 0)
			return -1;
	for (size_t i = 0; i < connect->list.count; i++)
		if (can_be_opened(&connect->list.routes[i]) &&
		    open_route(connect, &connect->list.routes[i], e) < 0)
			return -1;
	return connect->count ? 0 : err_set(e, ERR_CONFIG, "there is nothing that can be opened");
}

static int open_named(struct connect *connect, const char *name, struct err *e)
{
	const struct tunnels_entry *entry = tunnels_file_find(&connect->file, name);

	if (entry)
		return open_entry(connect, entry, e);
	return open_route(connect, routes_list_find(&connect->list, str_from(name)), e);
}

/* ---- what is to be opened ---- */

static bool needs_list(const struct connect *connect)
{
	if (connect->options->all)
		return !connect->has_file;
	for (size_t i = 0; i < connect->options->argument_count; i++)
		if (!tunnels_file_find(&connect->file, connect->options->arguments[i]))
			return true;
	return false;
}

static bool can_find(const struct connect *connect, const char *name)
{
	return tunnels_file_find(&connect->file, name) ||
	       routes_list_find(&connect->list, str_from(name));
}

static enum exit_status find_names(const struct connect *connect)
{
	struct err e;

	for (size_t i = 0; i < connect->options->argument_count; i++) {
		if (can_find(connect, connect->options->arguments[i]))
			continue;
		err_set(&e, ERR_CONFIG,
			"there is no route called %.100s, or more than one; see pomerium-cli routes "
			"list",
			connect->options->arguments[i]);
		return client_complain(EXIT_STATUS_NO_ROUTE, &e);
	}
	return EXIT_STATUS_OK;
}

static enum exit_status open_tunnels(struct connect *connect)
{
	enum exit_status status = EXIT_STATUS_OK;
	struct err e;

	if (needs_list(connect))
		status = ask_for_list(connect);
	if (status == EXIT_STATUS_OK)
		status = find_names(connect);
	if (status != EXIT_STATUS_OK)
		return status;
	if (connect->options->all && open_all(connect, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	for (size_t i = 0; i < connect->options->argument_count; i++)
		if (open_named(connect, connect->options->arguments[i], &e) < 0)
			return client_complain(EXIT_STATUS_OTHER, &e);
	return EXIT_STATUS_OK;
}

static void print_table(const struct connect *connect)
{
	char address[LOCAL_LISTENER_TEXT_MAX];

	printf("%-24s  %s\n", "LOCAL ADDRESS", "DESTINATION");
	for (size_t i = 0; i < connect->count; i++) {
		kept_tunnel_format(connect->tunnels[i], address);
		printf("%-24s  %s\n", address,
		       kept_tunnel_destination(connect->tunnels[i])->target);
	}
	(void)fflush(stdout); /* a script waits for it; nobody may listen */
	clearerr(stdout);     /* the tunnels serve all the same */
}

static enum exit_status serve(struct connect *connect)
{
	enum exit_status status;
	struct err e;

	if (client_open(&connect->client, EXIT_STATUS_OK, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	status = open_tunnels(connect);
	if (status == EXIT_STATUS_OK) {
		print_table(connect);
		status = client_run(&connect->client);
	}
	for (size_t i = 0; i < connect->count; i++)
		kept_tunnel_close(connect->tunnels[i]);
	return status;
}

enum exit_status cmd_connect_run(const struct program *program, const struct options *options)
{
	struct connect *connect = mem_alloc(sizeof(*connect));
	enum exit_status status;
	struct err e;

	connect->options = options;
	if (options->all == (options->argument_count > 0))
		status = program_complain(program_find(program, "connect"),
					  "name routes, or use --all");
	else if (client_init(&connect->client, options, &e) < 0 || read_file(connect, &e) < 0)
		status = program_complain(program_find(program, "connect"), e.text);
	else
		status = serve(connect);
	client_done(&connect->client);
	tunnels_file_done(&connect->file);
	routes_list_done(&connect->list);
	destination_done(&connect->server);
	mem_free(connect);
	return status;
}
