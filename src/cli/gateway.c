/*
 * gateway.c - io/dial or proxy_dial, with TLS on top
 */

#include "cli/gateway.h"

#include "base/mem.h"
#include "cli/destination.h"
#include "cli/proxy_dial.h"
#include "cli/proxy_options.h"
#include "io/dial.h"
#include "tls/tls_stream.h"

struct gateway_dial {
	const struct gateway *gateway;
	struct dial *dial;
	struct proxy_dial *proxy_dial;
	void (*on_done)(void *arg, struct stream *stream, const struct err *e);
	void *arg;
};

static void finish(struct gateway_dial *d, struct stream *stream, const struct err *e)
{
	const struct gateway *gateway = d->gateway;
	struct gateway_dial done = *d;

	mem_free(d);
	if (stream && gateway->destination->uses_tls)
		stream = tls_stream_connect(gateway->loop, stream, gateway->tls,
					    str_from(gateway->destination->gateway_host));
	done.on_done(done.arg, stream, e);
}

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	finish(arg, stream, e);
}

static void on_proxy_dialed(void *arg, struct stream *stream, const struct err *e)
{
	finish(arg, stream, e);
}

static void dial_through(struct gateway_dial *d, const struct proxy_url *proxy)
{
	const struct gateway *gateway = d->gateway;
	const struct proxy_dial_request request = {
		.proxy = proxy,
		.tls = gateway->proxies->tls,
		.host = str_from(gateway->destination->gateway_host),
		.port = gateway->destination->gateway_port,
	};

	d->proxy_dial = proxy_dial_start(gateway->loop, gateway->resolver, &request,
					 on_proxy_dialed, d);
}

static void dial_directly(struct gateway_dial *d)
{
	const struct gateway *gateway = d->gateway;
	const struct dial_target target = { .host = str_from(gateway->destination->gateway_host),
					    .port = gateway->destination->gateway_port,
					    .timeout_ms = DIAL_TIMEOUT_MS };

	d->dial = dial_start(gateway->loop, gateway->resolver, &target, on_dialed, d);
}

struct gateway_dial *gateway_dial_start(const struct gateway *gateway,
					void (*on_done)(void *arg, struct stream *stream,
							const struct err *e),
					void *arg)
{
	const struct proxy_url *proxy = proxy_options_choose(gateway->proxies,
							     gateway->destination);
	struct gateway_dial *d = mem_alloc(sizeof(*d));

	*d = (struct gateway_dial){ .gateway = gateway, .on_done = on_done, .arg = arg };
	if (proxy)
		dial_through(d, proxy);
	else
		dial_directly(d);
	return d;
}

void gateway_dial_cancel(struct gateway_dial *d)
{
	if (!d)
		return;
	dial_cancel(d->dial);
	proxy_dial_cancel(d->proxy_dial);
	mem_free(d);
}
