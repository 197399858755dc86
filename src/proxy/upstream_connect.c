/*
 * Steps in this order, those that the target does not need left out: dial, PROXY header, TLS, CONNECT. One operation is in progress at
 * any time; each of them tells its result from the loop, and that is where the next one begins. The time for all of them is
 * one deadline: dial and CONNECT are told what is left of it, the timer is for the two steps in between.
 */

#include "proxy/upstream_connect.h"

#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "http/connect_client.h"
#include "io/dial_unix.h"
#include "io/loop.h"
#include "io/proxy_protocol.h"
#include "io/stream.h"
#include "proxy/udp_tunnel.h"
#include "tls/tls_config.h"
#include "tls/tls_stream.h"

struct upstream_connect {
	struct upstream_connect_options options; /* texts in the arena */
	struct config_target target;
	struct arena arena;
	uint64_t due_ms;
	struct timer timer;
	struct dial *dial;
	struct udp_dial *dial_udp;
	struct dial_unix *dial_unix;
	struct connect_client *client;
	struct stream *stream;
	struct addr address;
	struct buf preface; /* what of the PROXY header is not sent yet */
	bool is_secure;     /* stream is that of TLS */
	bool is_over;
	void (*on_done)(void *arg, struct upstream_connected *connected, const struct err *e);
	void *arg;
};

static void ignore_event(void *arg, unsigned events)
{
}

static void release(struct upstream_connect *c)
{
	c->is_over = true;
	timer_cancel(&c->timer);
	dial_cancel(TAKE(c->dial));
	dial_unix_cancel(TAKE(c->dial_unix));
	udp_dial_cancel(TAKE(c->dial_udp));
	connect_client_cancel(TAKE(c->client));
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	tls_config_unref(TAKE(c->options.tls));
	buf_done(&c->preface);
	arena_done(&c->arena);
	loop_free_later(c->options.loop, c);
}

/* With the name of the target in front, which a failed dial has already. */
static void finish_failed(struct upstream_connect *c, enum err_kind kind, const struct err *e)
{
	struct err copy = *e;

	copy.kind = kind;
	(void)err_wrap(&copy, "connecting to %.*s:%u", STR_FMT(str_first(c->target.host, 255)),
		       (unsigned)c->target.port);
	release(c);
	c->on_done(c->arg, NULL, &copy);
}

static void finish(struct upstream_connect *c, struct buf *early)
{
	struct upstream_connected connected = {
		.stream = TAKE(c->stream),
		.address = c->address,
	};

	if (early)
		buf_move(&connected.early, early);
	stream_set_owner(connected.stream, ignore_event, NULL);
	release(c);
	c->on_done(c->arg, &connected, NULL);
}

static uint64_t time_left(const struct upstream_connect *c)
{
	uint64_t now = loop_now_ms(c->options.loop);

	return c->due_ms > now ? c->due_ms - now : 1;
}

/* ---- CONNECT ---- */

static void on_answered(void *arg, struct connect_result *result, const struct err *e)
{
	struct upstream_connect *c = arg;
	struct str reason = { 0 };
	struct err refusal = { 0 };

	c->client = NULL;
	if (!result) {
		finish_failed(c, e->kind, e);
		return;
	}
	if (result->status == 200) {
		c->stream = result->stream;
		finish(c, &result->early);
		return;
	}
	(void)http_headers_get(&result->headers, STR("x-pomerium-reason"), &reason);
	if (!str_is_printable_ascii(reason))
		reason = STR("");
	(void)err_set(&refusal, ERR_REFUSED, "this proxy answered %d%s%.*s", result->status,
		      str_is_empty(reason) ? "" : " ", STR_FMT(str_first(reason, 64)));
	finish_failed(c, result->status == 504 ? ERR_TIMEOUT : ERR_REFUSED, &refusal);
}

static void ask_proxy(struct upstream_connect *c)
{
	const struct connect_request request = {
		.target = c->options.authority,
		.headers = c->options.headers,
		.header_count = c->options.header_count,
		.timeout_ms = time_left(c),
	};

	timer_cancel(&c->timer);
	c->client = connect_client_start(c->options.loop, TAKE(c->stream), &request, on_answered,
					 c);
}

static void go_on(struct upstream_connect *c);

static void on_event(void *arg, unsigned events)
{
	go_on(arg);
}

/* ---- TLS ---- */

static void go_on_with_tls(struct upstream_connect *c)
{
	int result = tls_stream_handshake(c->stream);

	if (result == STREAM_AGAIN)
		return;
	if (result < 0)
		finish_failed(c, ERR_TLS, stream_error(c->stream));
	else
		ask_proxy(c);
}

static void begin_tls(struct upstream_connect *c)
{
	struct str name = str_is_empty(c->options.server_name) ? c->target.host
							       : c->options.server_name;

	c->stream = tls_stream_connect(c->options.loop, TAKE(c->stream), c->options.tls, name);
	c->is_secure = true;
	stream_set_owner(c->stream, on_event, c);
	go_on_with_tls(c);
}

/* ---- the PROXY header ---- */

static void write_preface(struct upstream_connect *c)
{
	struct proxy_header header = {
		.has_addresses = true,
		.source = c->options.source,
		.destination = c->options.destination,
	};
	int result = 0;

	if (addr_len(&header.destination) == 0)
		header.destination = c->address;
	c->preface = BUF_INIT(PROXY_HEADER_V2_MAX);
	switch (c->options.proxy_header) {
	case CONFIG_PROXY_HEADER_NONE:
		break;
	case CONFIG_PROXY_HEADER_V1:
		result = proxy_header_write_v1(&c->preface, &header);
		break;
	case CONFIG_PROXY_HEADER_V2:
		result = proxy_header_write_v2(&c->preface, &header);
		break;
	}
	assert(result == 0);
}

/* True when all of it is on its way; otherwise there will be an event, or it failed and c is gone. */
static bool send_preface(struct upstream_connect *c)
{
	while (c->preface.len > 0) {
		ssize_t sent = stream_write(c->stream, c->preface.data, c->preface.len);

		if (sent == STREAM_AGAIN)
			return false;
		if (sent < 0) {
			finish_failed(c, stream_error(c->stream)->kind, stream_error(c->stream));
			return false;
		}
		buf_consume(&c->preface, (size_t)sent);
	}
	return true;
}

/* ---- in order ---- */

static void go_on(struct upstream_connect *c)
{
	if (c->is_secure) {
		go_on_with_tls(c);
		return;
	}
	if (!send_preface(c))
		return;
	switch (c->target.hop) {
	case CONFIG_HOP_TCP:
	case CONFIG_HOP_UNIX:
	case CONFIG_HOP_UDP:
		finish(c, NULL);
		return;
	case CONFIG_HOP_HTTP_PROXY:
		ask_proxy(c);
		return;
	case CONFIG_HOP_HTTPS_PROXY:
		begin_tls(c);
		return;
	}
}

static void on_due(struct timer *timer)
{
	struct upstream_connect *c = container_of(timer, struct upstream_connect, timer);
	struct err e = { 0 };

	(void)err_set(&e, ERR_TIMEOUT, "%s",
		      c->is_secure ? "the TLS handshake took too long"
				   : "it does not take the PROXY header");
	finish_failed(c, ERR_TIMEOUT, &e);
}

static void connected(struct upstream_connect *c, struct stream *stream)
{
	c->stream = stream;
	stream_set_owner(stream, on_event, c);
	timer_start(&c->timer, c->options.loop, c->due_ms, on_due);
	write_preface(c);
	go_on(c);
}

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct upstream_connect *c = arg;

	c->dial = NULL;
	c->dial_udp = NULL;
	if (!stream) {
		release(c);
		c->on_done(c->arg, NULL, e);
		return;
	}
	c->address = *peer;
	connected(c, stream);
}

static void on_dialed_unix(void *arg, struct stream *stream, const struct err *e)
{
	struct upstream_connect *c = arg;

	c->dial_unix = NULL;
	if (!stream) {
		release(c);
		c->on_done(c->arg, NULL, e);
		return;
	}
	connected(c, stream);
}

/* A new configuration may come while we are at it: nothing of the old one is needed any more. */
static void copy_options(struct upstream_connect *c, const struct upstream_connect_options *options)
{
	c->options = *options;
	c->target = *options->target;
	c->target.host = arena_copy(&c->arena, options->target->host);
	c->options.target = &c->target;
	c->options.server_name = arena_copy(&c->arena, options->server_name);
	c->options.authority = arena_copy(&c->arena, options->authority);
	assert(options->header_count <= UPSTREAM_HEADERS_MAX);
	for (size_t i = 0; i < options->header_count; i++) {
		c->options.headers[i].name = arena_copy(&c->arena, options->headers[i].name);
		c->options.headers[i].value = arena_copy(&c->arena, options->headers[i].value);
	}
	if (options->tls)
		c->options.tls = tls_config_ref(options->tls);
}

struct upstream_connect *upstream_connect_start(
	const struct upstream_connect_options *options,
	void (*on_done)(void *arg, struct upstream_connected *connected, const struct err *e),
	void *arg)
{
	struct upstream_connect *c = mem_alloc(sizeof(*c));
	const struct dial_target target = {
		.host = options->target->host,
		.port = options->target->port,
		.timeout_ms = options->timeout_ms,
		.family = options->family,
	};

	copy_options(c, options);
	c->due_ms = loop_now_ms(options->loop) + options->timeout_ms;
	c->on_done = on_done;
	c->arg = arg;
	if (c->target.hop == CONFIG_HOP_UNIX)
		c->dial_unix = dial_unix_start(options->loop, target.host, target.timeout_ms,
					       on_dialed_unix, c);
	else if (c->target.hop == CONFIG_HOP_UDP)
		c->dial_udp = udp_dial_start(options->loop, options->resolver, &target, on_dialed,
					     c);
	else
		c->dial = dial_start(options->loop, options->resolver, &target, on_dialed, c);
	return c;
}

void upstream_connect_cancel(struct upstream_connect *c)
{
	/* From inside on_done there is nothing left to cancel. */
	if (c && !c->is_over)
		release(c);
}
