/*
 * cmd_udp.c - udp DESTINATION: a local UDP address in front of tunnels, one for each address that sends to it
 */

#include "cli/command.h"

#include "base/addr.h"
#include "cli/client.h"
#include "cli/events_udp.h"
#include "cli/options.h"
#include "cli/udp_listener.h"

/* What RFC 4787 wants of who translates addresses, which is alike: it does not know either when a program is done. */
#define IDLE_DEFAULT_S 300
#define IDLE_MAX_S     (24 * 60 * 60)

struct udp {
	struct client client;
	struct destination destination;
	struct addr listen_address;
	uint64_t idle_ms;
	struct gateway gateway;
	struct local_tunnel_context context;
	struct udp_listener *listener;
};

/* ---- what the user typed ---- */

static int read_listen(struct udp *udp, const char *text, struct err *e)
{
	struct str address = text ? str_from(text) : STR("127.0.0.1:0");

	if (str_equal(address, STR("-")))
		return err_set(e, ERR_CONFIG,
			       "--listen: standard input and output cannot carry UDP");
	if (addr_parse_listen(address, &udp->listen_address, e) < 0)
		return err_wrap(e, "--listen");
	return 0;
}

static int read_idle(struct udp *udp, const char *text, struct err *e)
{
	uint64_t seconds = IDLE_DEFAULT_S;

	if (text &&
	    (!str_to_uint64(str_from(text), &seconds) || seconds == 0 || seconds > IDLE_MAX_S))
		return err_set(e, ERR_CONFIG, "--idle-timeout is a number of seconds from 1 to %d",
			       IDLE_MAX_S);
	udp->idle_ms = seconds * 1000;
	return 0;
}

static int read_options(struct udp *udp, const struct options *options, struct err *e)
{
	if (destination_parse(str_from(options->arguments[0]), options->pomerium_url,
			      &udp->destination, e) < 0 ||
	    read_listen(udp, options->listen, e) < 0 ||
	    read_idle(udp, options->idle_timeout, e) < 0)
		return -1;
	return client_init(&udp->client, options, e);
}

/* ---- opening and closing ---- */

static int open_listener(struct udp *udp, struct err *e)
{
	struct addr bound;

	udp->listener = udp_listener_open(&udp->context, &udp->listen_address, e);
	if (!udp->listener)
		return -1;
	udp_listener_address(udp->listener, &bound);
	events_udp_listening(&udp->client.events, &udp->listen_address, &bound);
	return 0;
}

static enum exit_status serve_until_end(struct udp *udp)
{
	enum exit_status status = EXIT_STATUS_OTHER;
	struct err e;

	if (client_open(&udp->client, EXIT_STATUS_OK, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	(void)client_tunnels(&udp->client, &udp->destination, &udp->gateway, &udp->context);
	udp->gateway.carries_udp = true;
	udp->context.idle_ms = udp->idle_ms;
	if (open_listener(udp, &e) < 0)
		(void)client_complain(status, &e);
	else
		status = client_run(&udp->client);
	udp_listener_close(TAKE(udp->listener));
	return status;
}

enum exit_status cmd_udp_run(const struct program *program, const struct options *options)
{
	struct udp udp = { 0 };
	enum exit_status status;
	struct err e;

	if (read_options(&udp, options, &e) < 0)
		status = program_complain(program_find(program, "udp"), e.text);
	else
		status = serve_until_end(&udp);
	client_done(&udp.client);
	destination_done(&udp.destination);
	return status;
}
