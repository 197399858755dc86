#include "proxy/tunnel.h"

#include "io/relay.h"
#include "proxy/audit.h"
#include "proxy/connection.h"
#include "proxy/worker.h"

static const char *end_reason(enum relay_end end)
{
	switch (end) {
	case RELAY_A_CLOSED:
		return "client-closed";
	case RELAY_B_CLOSED:
		return "upstream-closed";
	case RELAY_A_FAILED:
		return "client-reset";
	case RELAY_B_FAILED:
		return "upstream-reset";
	case RELAY_IDLE:
		return "idle-timeout";
	}
	return "internal";
}

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct exchange *x = arg;

	x->relay = NULL;
	x->outcome.end_reason = end_reason(result->end);
	x->outcome.bytes_received = result->bytes_from_a;
	x->outcome.bytes_sent = result->bytes_from_b;
	exchange_resume(x, STEP_DONE);
}

enum step tunnel_serve(struct exchange *x)
{
	/* The last one tells our client that an end it sends is passed on as such (protocol.md 1.8.5). */
	const struct http_header headers[] = {
		{ STR("server"), STR("pomerium") },
		{ STR("x-request-id"), str_from(x->request_id) },
		{ STR("x-pomerium-half-close"), STR("?1") },
	};
	const struct http_response response = {
		.status = 200,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
	};
	struct relay_options options = { .on_done = on_relayed, .arg = x };

	options.a = connection_take_tunnel(x->connection, &response, &options.prefix_to_a,
					   &options.prefix_to_b);
	options.b = TAKE(x->upstream.stream);
	x->request = NULL;
	x->outcome.status = 200;
	x->relay = relay_start(x->worker->loop, &options);
	audit_tunnel_opened(x);
	return STEP_WAIT;
}
