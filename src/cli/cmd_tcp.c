/*
 * cmd_tcp.c - tcp DESTINATION: a listener, or standard input and output, in front of tunnels
 *
 * What the user typed is checked first and completely (exit status 2); only then anything is opened. With a listener a
 * failing connection is a log line and the program goes on; with --listen - the one connection decides the exit status.
 */

#include "cli/command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/mem.h"
#include "cli/browser.h"
#include "cli/cache_dir.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/events.h"
#include "cli/gateway.h"
#include "cli/local_tunnel.h"
#include "cli/login.h"
#include "cli/options.h"
#include "cli/platform.h"
#include "cli/service_account.h"
#include "cli/tls_options.h"
#include "io/listener.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "io/stream_stdio.h"

struct tcp {
	struct destination destination;
	struct addr listen_address;
	bool uses_stdio;
	struct buf service_account;
	char *browser; /* program, or NULL */
	struct tls_config *tls;
	struct events events;
	struct loop *loop;
	struct resolver *resolver;
	struct signals *signals;
	struct gateway gateway;
	struct credentials credentials;
	struct login login;
	struct local_tunnel_context context;
	struct listener *listener;
	struct list tunnels;
	enum exit_status status;
};

static void complain(const char *sentence)
{
	fprintf(stderr, "pomerium-cli: %s\n", sentence);
}

/* ---- what the user typed ---- */

static int read_listen(struct tcp *tcp, const char *text, struct err *e)
{
	struct str address = text ? str_from(text) : STR("127.0.0.1:0");

	tcp->uses_stdio = str_equal(address, STR("-"));
	if (tcp->uses_stdio || addr_parse_listen(address, &tcp->listen_address, e) == 0)
		return 0;
	return err_wrap(e, "--listen");
}

static void choose_browser(struct tcp *tcp, const struct options *options)
{
	const struct browser_choice choice = { .flag = options->browser_cmd,
					       .environment = getenv("BROWSER"),
					       .display = getenv("DISPLAY"),
					       .wayland_display = getenv("WAYLAND_DISPLAY") };

	tcp->browser = browser_choose(&choice);
}

static int read_options(struct tcp *tcp, const struct options *options, struct err *e)
{
	if (destination_parse(str_from(options->arguments[0]), options->pomerium_url,
			      &tcp->destination, e) < 0 ||
	    read_listen(tcp, options->listen, e) < 0 ||
	    service_account_read(options->service_account, options->service_account_file,
				 &tcp->service_account, e) < 0)
		return -1;
	choose_browser(tcp, options);
	return tls_options_load(options, &tcp->tls, e);
}

/* ---- connections ---- */

static void on_served(void *arg, struct local_tunnel *t, enum exit_status status,
		      const struct err *e)
{
	struct tcp *tcp = arg;

	list_remove(local_tunnel_node(t));
	if (e && !tcp->uses_stdio)
		events_failed(&tcp->events, e);
	if (!tcp->uses_stdio)
		return;
	if (e)
		complain(e->text);
	tcp->status = status;
	loop_stop(tcp->loop);
}

static void serve(struct tcp *tcp, struct stream *local)
{
	struct local_tunnel *t = local_tunnel_start(&tcp->context, local, on_served, tcp);

	list_append(&tcp->tunnels, local_tunnel_node(t));
}

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	serve(arg, stream);
}

static void on_accept_problem(void *arg, const struct err *e, unsigned shed_count)
{
	const struct tcp *tcp = arg;

	events_warning(&tcp->events, "cannot accept connections", e);
}

static void on_signal(void *arg, int number)
{
	struct tcp *tcp = arg;

	events_signal(&tcp->events, number);
	tcp->status = tcp->uses_stdio ? EXIT_STATUS_OTHER : EXIT_STATUS_OK;
	loop_stop(tcp->loop);
}

/* ---- opening and closing ---- */

static int open_local(struct tcp *tcp, struct err *e)
{
	static const struct listener_events events = { .on_accept = on_accept,
						       .on_problem = on_accept_problem };
	char address[ADDR_TEXT_MAX];
	struct addr bound;
	struct stream *stdio;

	if (tcp->uses_stdio) {
		stdio = stream_stdio_open(tcp->loop, STDIN_FILENO, STDOUT_FILENO, e);
		if (!stdio)
			return -1;
		serve(tcp, stdio);
		return 0;
	}
	tcp->listener = listener_open(tcp->loop, &tcp->listen_address, false, &events, tcp, e);
	if (!tcp->listener)
		return -1;
	listener_address(tcp->listener, &bound);
	addr_format(&bound, address);
	events_listening(&tcp->events, address);
	return 0;
}

static void open_credentials(struct tcp *tcp)
{
	_cleanup_(mem_freep) char *root = NULL;
	struct err e;

	if (cache_dir_locate(getenv("XDG_CACHE_HOME"), getenv("HOME"), &root, &e) < 0)
		events_warning(&tcp->events, "logins are kept in memory only", &e);
	else
		cache_dir_remember_url(root, str_from(tcp->destination.gateway_url));
	credentials_init(&tcp->credentials, root, str_from(tcp->destination.gateway_name),
			 tcp->destination.uses_tls);
}

static void join_parts(struct tcp *tcp)
{
	const struct login_options login = {
		.browser = { .gateway = &tcp->gateway,
			     .events = &tcp->events,
			     .browser = tcp->browser },
		.credentials = &tcp->credentials,
		.service_account = buf_view(&tcp->service_account),
	};

	tcp->gateway = (struct gateway){ .loop = tcp->loop,
					 .resolver = tcp->resolver,
					 .tls = tcp->tls,
					 .destination = &tcp->destination };
	tcp->context = (struct local_tunnel_context){ .gateway = &tcp->gateway,
						      .events = &tcp->events,
						      .credentials = &tcp->credentials,
						      .login = &tcp->login };
	login_init(&tcp->login, &login);
}

static int run(struct tcp *tcp, struct err *e)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, 0 };

	tcp->resolver = resolver_new(tcp->loop, e);
	if (!tcp->resolver)
		return -1;
	tcp->signals = signals_open(tcp->loop, numbers, on_signal, tcp);
	join_parts(tcp);
	if (open_local(tcp, e) < 0)
		return -1;
	loop_run(tcp->loop);
	return 0;
}

static void close_all(struct tcp *tcp)
{
	if (tcp->listener)
		listener_close(TAKE(tcp->listener));
	LIST_FOREACH (&tcp->tunnels, node) {
		list_remove(node);
		local_tunnel_close(local_tunnel_from_node(node));
	}
	login_done(&tcp->login);
	if (tcp->signals)
		signals_close(TAKE(tcp->signals));
	resolver_free(TAKE(tcp->resolver));
	loop_free(TAKE(tcp->loop));
}

static void serve_until_end(struct tcp *tcp)
{
	struct err e;

	platform_raise_descriptor_limit();
	events_init(&tcp->events);
	open_credentials(tcp);
	tcp->loop = loop_new();
	list_init(&tcp->tunnels);
	list_init(&tcp->login.waiters);
	if (run(tcp, &e) < 0) {
		complain(e.text);
		tcp->status = EXIT_STATUS_OTHER;
	}
	close_all(tcp);
	credentials_done(&tcp->credentials);
	events_done(&tcp->events);
}

enum exit_status cmd_tcp_run(const struct program *program, const struct options *options)
{
	struct tcp tcp = { .service_account = BUF_INIT(TOKEN_MAX) };
	struct err e;

	if (read_options(&tcp, options, &e) < 0)
		tcp.status = program_complain(program_find(program, "tcp"), e.text);
	else
		serve_until_end(&tcp);
	destination_done(&tcp.destination);
	buf_done_secret(&tcp.service_account);
	mem_free(TAKE(tcp.browser));
	tls_config_unref(TAKE(tcp.tls));
	return tcp.status;
}
