/*
 * proxy_target.c - either a local_tunnel or a dial, perhaps through a proxy, and then a relay
 *
 * Web sites behind the gateway are TCP routes of port 8000, because port 443 of their name is the gateway itself
 * (protocol.md 8.7).
 *
 * A request for an http:// address is one for the next proxy too, if that speaks HTTP: many let nobody CONNECT to port 80.
 */

#include "cli/proxy_target.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/url.h"
#include "cli/client.h"
#include "cli/proxy_dial.h"
#include "io/dial.h"
#include "io/relay.h"

#define GATEWAY_PORT 443
#define WEB_PORT     8000
#define TARGET_MAX   512

struct proxy_target {
	struct proxy_target_options options; /* but for target */
	struct destination destination;
	struct gateway gateway;
	struct account *account; /* NULL: directly */
	struct local_tunnel_context context;
	struct local_tunnel *tunnel;
	struct dial *dial;
	char *host; /* what proxy_dial connects to */
	struct proxy_dial *proxy_dial;
	const struct proxy_url *next_proxy; /* is asked itself */
	struct relay *relay;
	struct later later; /* delivers a failure of the first step */
	struct err failure;
};

void proxy_target_close(struct proxy_target *t)
{
	if (!t)
		return;
	later_cancel(&t->later);
	if (t->tunnel)
		local_tunnel_close(TAKE(t->tunnel));
	dial_cancel(TAKE(t->dial));
	proxy_dial_cancel(TAKE(t->proxy_dial));
	mem_free(TAKE(t->host));
	relay_close(TAKE(t->relay), STREAM_CLOSE_NORMAL, NULL);
	client_tunnels_end(TAKE(t->account));
	destination_done(&t->destination);
	loop_free_later(t->options.client->loop, t);
}

static void finish(struct proxy_target *t, enum exit_status status, const struct err *e)
{
	t->options.on_done(t->options.arg, status, e);
	proxy_target_close(t);
}

/* ---- through the gateway ---- */

static void take_for_tunnel(void *arg, struct local_side *ret)
{
	const struct proxy_target *t = arg;

	t->options.take(t->options.arg, ret);
}

static void on_tunnel_done(void *arg, struct local_tunnel *tunnel, enum exit_status status,
			   const struct err *e)
{
	struct proxy_target *t = arg;

	t->tunnel = NULL; /* it closes itself */
	finish(t, status, e);
}

static void deliver_failure(struct later *later)
{
	struct proxy_target *t = container_of(later, struct proxy_target, later);

	finish(t, EXIT_STATUS_USAGE, &t->failure);
}

static void start_tunnel(struct proxy_target *t, const struct authority *target)
{
	const char *open = target->is_ip6_literal ? "[" : "";
	const char *close = target->is_ip6_literal ? "]" : "";
	uint16_t port = target->port == GATEWAY_PORT ? WEB_PORT : target->port;
	char text[TARGET_MAX];

	(void)snprintf(text, sizeof(text), "%s%.*s%s:%u", open, STR_FMT(target->host), close,
		       (unsigned)port); /* longer ones are no destination */
	if (destination_parse(str_from(text), t->options.gateway_url, &t->destination,
			      &t->failure) < 0) {
		later_start(&t->later, t->options.client->loop, deliver_failure);
		return;
	}
	t->account = client_tunnels(t->options.client, &t->destination, &t->gateway, &t->context);
	t->tunnel = local_tunnel_start_held(&t->context, take_for_tunnel, on_tunnel_done, t);
}

/* ---- by itself ---- */

static void on_relay_done(void *arg, const struct relay_result *result)
{
	struct proxy_target *t = arg;

	t->relay = NULL;
	finish(t, EXIT_STATUS_OK, NULL);
}

static void begin_relay(struct proxy_target *t, struct stream *stream, const struct err *e)
{
	struct relay_options options = { .b = stream, .on_done = on_relay_done, .arg = t };
	struct local_side side = { 0 };

	if (!stream) {
		finish(t, EXIT_STATUS_UNREACHABLE, e);
		return;
	}
	t->options.take(t->options.arg, &side);
	options.a = side.stream;
	buf_move(&options.prefix_to_a, &side.to_local);
	buf_move(&options.prefix_to_b, &side.from_local);
	t->relay = relay_start(t->options.client->loop, &options);
}

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct proxy_target *t = arg;

	t->dial = NULL;
	begin_relay(t, stream, e);
}

static void on_proxy_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct proxy_target *t = arg;

	t->proxy_dial = NULL;
	begin_relay(t, stream, e);
}

static void start_proxy_dial(struct proxy_target *t, const struct proxy_url *proxy,
			     const struct authority *target)
{
	const struct client *client = t->options.client;
	struct proxy_dial_request request = { .proxy = proxy,
					      .tls = client->proxies.tls,
					      .port = target->port,
					      .may_speak_first = true };

	if (t->options.is_http_request && (proxy->kind == PROXY_HTTP || proxy->kind == PROXY_HTTPS))
		t->next_proxy = proxy;
	request.is_for_the_proxy = t->next_proxy != NULL;
	t->host = str_copy(target->host);
	request.host = str_from(t->host);
	t->proxy_dial = proxy_dial_start(client->loop, client->resolver, &request, on_proxy_dialed,
					 t);
}

static void start_dial(struct proxy_target *t, const struct authority *target)
{
	const struct proxy_url *proxy = proxy_options_choose_for_other(&t->options.client->proxies,
								       target->host, target->port,
								       t->options.is_http_request);

	if (proxy) {
		start_proxy_dial(t, proxy, target);
		return;
	}
	t->dial = dial_start(t->options.client->loop, t->options.client->resolver,
			     &(struct dial_target){ .host = target->host,
						    .port = target->port,
						    .timeout_ms = DIAL_TIMEOUT_MS },
			     on_dialed, t);
}

const struct proxy_url *proxy_target_next_proxy(const struct proxy_target *t)
{
	return t->next_proxy;
}

struct proxy_target *proxy_target_start(const struct proxy_target_options *options)
{
	struct proxy_target *t = mem_alloc(sizeof(*t));
	struct authority target;

	*t = (struct proxy_target){ .options = *options };
	if (authority_parse_connect(options->target, &target, &t->failure) < 0)
		later_start(&t->later, options->client->loop, deliver_failure);
	else if (options->through_gateway)
		start_tunnel(t, &target);
	else
		start_dial(t, &target);
	t->options.target = (struct str){ 0 };
	return t;
}
