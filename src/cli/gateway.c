/*
 * gateway.c - io/dial with TLS on top
 */

#include "cli/gateway.h"

#include "base/mem.h"
#include "cli/destination.h"
#include "io/dial.h"
#include "tls/tls_stream.h"

struct gateway_dial {
	const struct gateway *gateway;
	struct dial *dial;
	void (*on_done)(void *arg, struct stream *stream, const struct err *e);
	void *arg;
};

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct gateway_dial *d = arg;
	const struct gateway *gateway = d->gateway;
	struct gateway_dial done = *d;

	mem_free(d);
	if (stream && gateway->destination->uses_tls)
		stream = tls_stream_connect(gateway->loop, stream, gateway->tls,
					    str_from(gateway->destination->gateway_host));
	done.on_done(done.arg, stream, e);
}

struct gateway_dial *gateway_dial_start(const struct gateway *gateway,
					void (*on_done)(void *arg, struct stream *stream,
							const struct err *e),
					void *arg)
{
	const struct dial_target target = { .host = str_from(gateway->destination->gateway_host),
					    .port = gateway->destination->gateway_port,
					    .timeout_ms = DIAL_TIMEOUT_MS };
	struct gateway_dial *d = mem_alloc(sizeof(*d));

	*d = (struct gateway_dial){ .gateway = gateway, .on_done = on_done, .arg = arg };
	d->dial = dial_start(gateway->loop, gateway->resolver, &target, on_dialed, d);
	return d;
}

void gateway_dial_cancel(struct gateway_dial *d)
{
	if (!d)
		return;
	dial_cancel(d->dial);
	mem_free(d);
}
