/*
 * proxy: one local port for all names of some domains (protocol.md 8.7)
 */

#include "cli/command.h"

#include "cli/client.h"
#include "cli/local_listener.h"
#include "cli/local_proxy.h"
#include "cli/options.h"
#include "cli/proxy_domains.h"

#define LISTEN_DEFAULT "127.0.0.1:3128"

struct proxy {
	struct client client;
	struct local_address listen_address;
	struct local_listener *listener;
	struct local_proxy *local;
};

static int read_options(struct proxy *proxy, const struct options *options, struct err *e)
{
	const char *listen = options->listen ? options->listen : LISTEN_DEFAULT;
	struct destination gateway = { 0 };

	if (!options->proxy_domains[0])
		return err_set(e, ERR_CONFIG, "name at least one --proxy-domain");
	if (proxy_domains_check(options->proxy_domains, e) < 0)
		return -1;
	if (options->pomerium_url &&
	    destination_parse_server(str_from(options->pomerium_url), &gateway, e) < 0)
		return err_wrap(e, "--pomerium-url");
	destination_done(&gateway);
	if (local_address_parse(listen, &proxy->listen_address, e) < 0)
		return err_wrap(e, "--listen");
	return client_init(&proxy->client, options, e);
}

static void on_accept(void *arg, struct stream *stream)
{
	const struct proxy *proxy = arg;

	local_proxy_serve(proxy->local, stream);
}

static int open_local(struct proxy *proxy, const struct options *options, struct err *e)
{
	const struct local_proxy_options local = { .client = &proxy->client,
						   .domains = options->proxy_domains,
						   .gateway_url = options->pomerium_url };
	char address[LOCAL_LISTENER_TEXT_MAX];

	proxy->local = local_proxy_new(&local);
	proxy->listener = local_listener_open(proxy->client.loop, &proxy->listen_address,
					      &proxy->client.events, on_accept, proxy, e);
	if (!proxy->listener)
		return -1;
	local_listener_format(proxy->listener, address);
	if (proxy_options_lead_to(&proxy->client.proxies, str_from(address)))
		return err_set(e, ERR_CONFIG,
			       "the proxy that is set for this program is this program itself, at "
			       "%s; start it without, or with --proxy none",
			       address);
	local_proxy_set_address(proxy->local, str_from(address));
	events_proxy_running(&proxy->client.events, address);
	return 0;
}

static enum exit_status serve_until_end(struct proxy *proxy, const struct options *options)
{
	enum exit_status status = EXIT_STATUS_OTHER;
	struct err e;

	if (client_open(&proxy->client, EXIT_STATUS_OK, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	if (open_local(proxy, options, &e) < 0)
		(void)client_complain(status, &e);
	else
		status = client_run(&proxy->client);
	local_listener_close(TAKE(proxy->listener));
	local_proxy_close(TAKE(proxy->local));
	return status;
}

enum exit_status cmd_proxy_run(const struct program *program, const struct options *options)
{
	struct proxy proxy = { 0 };
	enum exit_status status;
	struct err e;

	if (read_options(&proxy, options, &e) < 0)
		status = program_complain(program_find(program, "proxy"), e.text);
	else
		status = serve_until_end(&proxy, options);
	client_done(&proxy.client);
	return status;
}
