/*
 * cmd_tcp.c - tcp DESTINATION: a listener, or standard input and output, in front of tunnels
 *
 * What the user typed is checked first and completely (exit status 2); only then anything is opened. With a listener a
 * failing connection is a log line and the program goes on; with --listen - the one connection decides the exit status.
 */

#include "cli/command.h"

#include <unistd.h>

#include "cli/client.h"
#include "cli/local_listener.h"
#include "cli/options.h"
#include "io/stream_stdio.h"

struct tcp {
	struct client client;
	struct destination destination;
	struct local_address listen_address;
	bool uses_stdio;
	struct gateway gateway;
	struct local_tunnel_context context;
	struct local_listener *listener;
	struct list tunnels;
};

/* ---- what the user typed ---- */

static int read_listen(struct tcp *tcp, const char *text, struct err *e)
{
	const char *address = text ? text : "127.0.0.1:0";

	tcp->uses_stdio = str_equal(str_from(address), STR("-"));
	if (tcp->uses_stdio || local_address_parse(address, &tcp->listen_address, e) == 0)
		return 0;
	return err_wrap(e, "--listen");
}

static int read_options(struct tcp *tcp, const struct options *options, struct err *e)
{
	if (destination_parse(str_from(options->arguments[0]), options->pomerium_url,
			      &tcp->destination, e) < 0 ||
	    read_listen(tcp, options->listen, e) < 0)
		return -1;
	return client_init(&tcp->client, options, e);
}

/* ---- connections ---- */

static void on_served(void *arg, struct local_tunnel *t, enum exit_status status,
		      const struct err *e)
{
	struct tcp *tcp = arg;

	list_remove(local_tunnel_node(t));
	if (e && !tcp->uses_stdio)
		events_failed(&tcp->client.events, e);
	if (!tcp->uses_stdio)
		return;
	if (e)
		(void)client_complain(status, e);
	client_stop(&tcp->client, status);
}

static void serve(struct tcp *tcp, struct stream *local)
{
	struct local_tunnel *t = local_tunnel_start(&tcp->context, local, on_served, tcp);

	list_append(&tcp->tunnels, local_tunnel_node(t));
}

static void on_accept(void *arg, struct stream *stream)
{
	serve(arg, stream);
}

/* ---- opening and closing ---- */

static int open_local(struct tcp *tcp, struct err *e)
{
	char address[LOCAL_LISTENER_TEXT_MAX];
	struct stream *stdio;

	if (tcp->uses_stdio) {
		stdio = stream_stdio_open(tcp->client.loop, STDIN_FILENO, STDOUT_FILENO, e);
		if (!stdio)
			return -1;
		serve(tcp, stdio);
		return 0;
	}
	tcp->listener = local_listener_open(tcp->client.loop, &tcp->listen_address,
					    &tcp->client.events, on_accept, tcp, e);
	if (!tcp->listener)
		return -1;
	local_listener_format(tcp->listener, address);
	events_listening(&tcp->client.events, address);
	return 0;
}

static void close_local(struct tcp *tcp)
{
	local_listener_close(TAKE(tcp->listener));
	LIST_FOREACH (&tcp->tunnels, node) {
		list_remove(node);
		local_tunnel_close(local_tunnel_from_node(node));
	}
}

static enum exit_status serve_until_end(struct tcp *tcp)
{
	enum exit_status status = EXIT_STATUS_OTHER;
	struct err e;

	list_init(&tcp->tunnels);
	if (client_open(&tcp->client, tcp->uses_stdio ? EXIT_STATUS_OTHER : EXIT_STATUS_OK, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	(void)client_tunnels(&tcp->client, &tcp->destination, &tcp->gateway, &tcp->context);
	if (open_local(tcp, &e) < 0)
		(void)client_complain(status, &e);
	else
		status = client_run(&tcp->client);
	close_local(tcp);
	return status;
}

enum exit_status cmd_tcp_run(const struct program *program, const struct options *options)
{
	struct tcp tcp = { 0 };
	enum exit_status status;
	struct err e;

	if (read_options(&tcp, options, &e) < 0)
		status = program_complain(program_find(program, "tcp"), e.text);
	else
		status = serve_until_end(&tcp);
	client_done(&tcp.client);
	destination_done(&tcp.destination);
	return status;
}
