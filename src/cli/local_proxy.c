/*
 * local_proxy.c - one peer for each connection
 *
 *	LISTENING -- 0x05 --> SOCKS: messages until the target is known -+
 *	    |                                                            +--> target pending --> relayed, by proxy_target
 *	    +-- http://... -> FORWARD: the head, read here --------------+
 *	    |                                                            |
 *	    +-- else -------> HTTP: an h1_server until CONNECT ----------+
 *
 * The body of a forwarded request may be of any size, and so an h1_server, which hands requests over whole, sees one only when it
 * has to be refused: it is given what was read and answers it.
 *
 * Until the target is there the stream stays with the peer or its h1_server, so that a refusal can be said in the language of
 * the program; then it is handed over together with the answer.
 */

#include "cli/local_proxy.h"

#include "base/mem.h"
#include "base/url.h"
#include "cli/client.h"
#include "cli/forward_request.h"
#include "cli/forward_stream.h"
#include "cli/proxy_domains.h"
#include "cli/proxy_target.h"
#include "cli/socks5_server.h"
#include "http/h1_server.h"
#include "io/stream_unread.h"

#define REPLY_MAX 64

/* A head, or one byte more than it may have. */
#define HTTP_BYTES_MAX (HTTP_HEAD_MAX + 1)

struct local_proxy {
	struct local_proxy_options options;
	char *address;
	struct list peers;
};

struct peer {
	struct list_node node;
	struct local_proxy *proxy;
	struct timer timer;    /* until the target is known */
	struct stream *stream; /* SOCKS, or not known yet; NULL: given away */
	struct buf in;
	struct buf out;
	bool is_refused; /* closed when out is flushed */
	struct socks5_server socks;
	struct h1_scanner scanner; /* of a head that may have to be forwarded */
	struct forward_request forward;
	struct err refusal;       /* of a forwarded request; ERR_NONE: none */
	int refusal_status;       /* of HTTP */
	struct h1_server *server; /* HTTP; NULL: not, or given away */
	struct proxy_target *target;
};

static void close_peer(struct peer *p)
{
	list_remove(&p->node);
	timer_cancel(&p->timer);
	proxy_target_close(TAKE(p->target));
	if (p->server)
		h1_server_close(TAKE(p->server), STREAM_CLOSE_NORMAL);
	stream_close(TAKE(p->stream), STREAM_CLOSE_NORMAL);
	buf_done_secret(&p->in);
	buf_done(&p->out);
	forward_request_done(&p->forward);
	loop_free_later(p->proxy->options.client->loop, p);
}

static void on_late(struct timer *timer)
{
	close_peer(container_of(timer, struct peer, timer));
}

static void start_target(struct peer *p, struct str target, local_tunnel_take_fn *take,
			 void (*on_done)(void *arg, enum exit_status status, const struct err *e))
{
	const struct local_proxy_options *options = &p->proxy->options;
	struct authority authority = { 0 };
	struct proxy_target_options request = {
		.client = options->client,
		.target = target,
		.gateway_url = options->gateway_url,
		.is_http_request = p->forward.target != NULL,
		.take = take,
		.on_done = on_done,
		.arg = p,
	};

	timer_cancel(&p->timer);
	if (authority_parse_connect(target, &authority, NULL) == 0)
		request.through_gateway = proxy_domains_match(options->domains, authority.host);
	p->target = proxy_target_start(&request);
}

static void note_failure(const struct peer *p, const struct err *e)
{
	events_failed(&p->proxy->options.client->events, e);
}

/* ---- SOCKS ---- */

static enum socks5_answer socks_answer(enum exit_status status)
{
	switch (status) {
	case EXIT_STATUS_OK:
		return SOCKS5_SUCCEEDED;
	case EXIT_STATUS_NOT_LOGGED_IN:
	case EXIT_STATUS_DENIED:
		return SOCKS5_NOT_ALLOWED;
	case EXIT_STATUS_NO_ROUTE:
		return SOCKS5_HOST_UNREACHABLE;
	case EXIT_STATUS_UNREACHABLE:
		return SOCKS5_REFUSED;
	case EXIT_STATUS_OTHER:
	case EXIT_STATUS_USAGE:
		break;
	}
	return SOCKS5_FAILED;
}

/* False if the peer is gone. */
static bool flush(struct peer *p)
{
	while (p->out.len > 0) {
		ssize_t count = stream_write(p->stream, p->out.data, p->out.len);

		if (count == STREAM_AGAIN)
			return true;
		if (count < 0) {
			close_peer(p);
			return false;
		}
		buf_consume(&p->out, (size_t)count);
	}
	if (!p->is_refused)
		return true;
	close_peer(p);
	return false;
}

static void take_socks(void *arg, struct local_side *ret)
{
	struct peer *p = arg;

	buf_init(&ret->to_local, p->out.len + REPLY_MAX);
	(void)buf_append_str(&ret->to_local, buf_view(&p->out)); /* made to fit */
	socks5_server_answer(SOCKS5_SUCCEEDED, &ret->to_local);
	buf_move(&ret->from_local, &p->in);
	ret->stream = TAKE(p->stream);
}

static void on_socks_done(void *arg, enum exit_status status, const struct err *e)
{
	struct peer *p = arg;

	p->target = NULL; /* it closes itself */
	if (!p->stream) {
		close_peer(p);
		return;
	}
	note_failure(p, e);
	p->is_refused = true;
	socks5_server_answer(socks_answer(status), &p->out);
	(void)flush(p);
}

static void feed_socks(struct peer *p)
{
	enum socks5_event event = socks5_server_feed(&p->socks, &p->in, &p->out);

	if (event == SOCKS5_BAD)
		p->is_refused = true;
	if (!flush(p))
		return;
	if (event == SOCKS5_REQUEST)
		start_target(p, str_from(p->socks.target), take_socks, on_socks_done);
}

/* ---- HTTP ---- */

static void answer(struct peer *p, int status, struct str type, struct str body)
{
	const struct http_header headers[] = {
		{ STR("content-type"), type },
		{ STR("x-content-type-options"), STR("nosniff") },
	};

	h1_server_respond(p->server, &(struct http_response){ .status = status,
							      .headers = headers,
							      .header_count = ARRAY_LEN(headers),
							      .body = body,
							      .close = true });
}

static void answer_text(struct peer *p, int status, struct str text)
{
	answer(p, status, STR("text/plain; charset=utf-8"), text);
}

static void take_http(void *arg, struct local_side *ret)
{
	const struct http_response response = { .status = 200 };
	struct peer *p = arg;

	ret->stream = h1_server_take_tunnel(TAKE(p->server), &response, &ret->to_local,
					    &ret->from_local);
}

static int http_status(enum exit_status status)
{
	switch (status) {
	case EXIT_STATUS_NOT_LOGGED_IN:
	case EXIT_STATUS_DENIED:
		return 403;
	case EXIT_STATUS_NO_ROUTE:
		return 404;
	case EXIT_STATUS_USAGE:
		return 400;
	case EXIT_STATUS_OK:
	case EXIT_STATUS_UNREACHABLE:
	case EXIT_STATUS_OTHER:
		break;
	}
	return 502;
}

static void answer_failure(struct peer *p, int status, const struct err *e)
{
	struct buf text = BUF_INIT(ERR_TEXT_MAX + 1);

	buf_printf(&text, "%s\n", e->text);
	answer_text(p, status, buf_view(&text));
	buf_done(&text);
}

static void on_http_done(void *arg, enum exit_status status, const struct err *e)
{
	struct peer *p = arg;

	p->target = NULL; /* it closes itself */
	if (!p->server) {
		close_peer(p);
		return;
	}
	note_failure(p, e);
	answer_failure(p, http_status(status), e);
}

/* By what somebody else's name leads here, a web page of theirs could ask. */
static bool is_for_us(const struct local_proxy *proxy, const struct http_request *request)
{
	struct authority authority;

	if (authority_parse(request->authority, false, &authority, NULL) < 0)
		return false;
	return host_is_loopback(authority.host) ||
	       str_equal(request->authority, str_from(proxy->address));
}

/* Then browsers have to leave it to this one what is reached through them, and what directly. */
static bool has_proxies(const struct local_proxy *proxy)
{
	const struct proxy_options *proxies = &proxy->options.client->proxies;

	return proxies->for_https.host || proxies->for_http.host;
}

static void answer_page(struct peer *p, const struct http_request *request)
{
	const struct local_proxy *proxy = p->proxy;
	struct buf text = BUF_INIT(PROXY_PAC_MAX);

	if (request->is_connect)
		answer_text(p, 501, STR("This proxy carries TCP alone, with CONNECT or SOCKS5.\n"));
	else if (!str_starts_with(request->target, STR("/")))
		answer_text(
			p, 501,
			STR("This proxy forwards requests for addresses that begin with http://. "
			    "For others use CONNECT or SOCKS5.\n"));
	else if (!is_for_us(proxy, request))
		answer_text(p, 403, STR("Forbidden\n"));
	else if (!str_equal(request->path, STR("/proxy.pac")))
		answer_text(p, 404, STR("Not Found\n"));
	else if (!str_equal(request->method, STR("GET")))
		answer_text(p, 405, STR("Method Not Allowed\n"));
	else {
		proxy_domains_write_pac(proxy->options.domains, str_from(proxy->address),
					has_proxies(proxy), &text);
		answer(p, 200, STR("application/x-ns-proxy-autoconfig"), buf_view(&text));
	}
	buf_done(&text);
}

static void on_request(void *arg, const struct http_request *request)
{
	struct peer *p = arg;
	struct str origin;

	if (p->refusal.kind)
		answer_failure(p, p->refusal_status, &p->refusal);
	else if (http_headers_get(&request->headers, STR("origin"), &origin))
		answer_text(p, 403, STR("Web pages may not use this proxy themselves.\n"));
	else if (str_equal(request->method, STR("CONNECT"))) /* is_connect is also UDP's GET */
		start_target(p, request->authority, take_http, on_http_done);
	else
		answer_page(p, request);
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	struct peer *p = arg;

	if (p->refusal.kind)
		answer_failure(p, p->refusal_status, &p->refusal);
	else
		answer_text(p, status, STR("Bad Request\n"));
}

static void on_closed(void *arg, const struct err *e)
{
	struct peer *p = arg;

	p->server = NULL;
	close_peer(p);
}

static void begin_http(struct peer *p)
{
	static const struct h1_server_events events = { .on_request = on_request,
							.on_bad_request = on_bad_request,
							.on_closed = on_closed };
	struct loop *loop = p->proxy->options.client->loop;
	struct stream *stream = stream_unread_open(loop, TAKE(p->stream), &p->in);

	timer_cancel(&p->timer);
	p->server = h1_server_open(
		loop, stream,
		&(struct h1_server_options){ .head_timeout_ms = LOCAL_PROXY_REQUEST_MS,
					     .idle_timeout_ms = LOCAL_PROXY_REQUEST_MS,
					     .events = &events,
					     .arg = p });
}

/* ---- http:// addresses ---- */

static void address_next_proxy(struct peer *p)
{
	const struct proxy_url *next = proxy_target_next_proxy(p->target);
	struct buf authorization = BUF_INIT(PROXY_AUTHORIZATION_MAX);

	if (!next)
		return;
	proxy_url_write_authorization(next, &authorization);
	forward_request_address_proxy(&p->forward, buf_view(&authorization));
	buf_done_secret(&authorization);
}

static void take_forward(void *arg, struct local_side *ret)
{
	struct peer *p = arg;
	struct loop *loop = p->proxy->options.client->loop;

	address_next_proxy(p);
	buf_consume(&p->in, p->forward.head_len);
	ret->stream = forward_stream_open(loop, stream_unread_open(loop, TAKE(p->stream), &p->in),
					  &p->forward);
}

static void on_forward_done(void *arg, enum exit_status status, const struct err *e)
{
	struct peer *p = arg;

	p->target = NULL; /* it closes itself */
	if (!p->stream) {
		close_peer(p);
		return;
	}
	note_failure(p, e);
	p->refusal = *e;
	p->refusal_status = http_status(status);
	begin_http(p);
}

static void feed_http(struct peer *p)
{
	p->in.max = HTTP_BYTES_MAX;
	switch (forward_request_read(&p->scanner, buf_view(&p->in), &p->forward)) {
	case FORWARD_MORE:
		return;
	case FORWARD_NONE:
		begin_http(p);
		return;
	case FORWARD_REQUEST:
		start_target(p, str_from(p->forward.target), take_forward, on_forward_done);
		return;
	}
}

/* ---- the beginning ---- */

static void read_beginning(struct peer *p)
{
	while (p->stream && !p->target) {
		uint8_t *to = buf_reserve(&p->in, 1);
		ssize_t count = to ? stream_read(p->stream, to, p->in.cap - p->in.len) : STREAM_END;

		if (count == STREAM_AGAIN)
			return;
		if (count <= 0) {
			close_peer(p);
			return;
		}
		buf_commit(&p->in, (size_t)count);
		if (p->in.data[0] != 5 && !p->socks.has_greeting) {
			feed_http(p);
			continue;
		}
		feed_socks(p);
	}
}

static void on_event(void *arg, unsigned events)
{
	struct peer *p = arg;

	if (p->target)
		return; /* what comes is read by who relays it */
	if ((events & STREAM_WRITABLE) && !flush(p))
		return;
	if (!p->is_refused)
		read_beginning(p);
}

void local_proxy_serve(struct local_proxy *proxy, struct stream *stream)
{
	struct loop *loop = proxy->options.client->loop;
	struct peer *p = mem_alloc(sizeof(*p));

	*p = (struct peer){ .proxy = proxy,
			    .stream = stream,
			    .in = BUF_INIT(SOCKS5_SERVER_MESSAGE_MAX),
			    .out = BUF_INIT(REPLY_MAX) };
	list_append(&proxy->peers, &p->node);
	timer_start(&p->timer, loop, loop_now_ms(loop) + LOCAL_PROXY_REQUEST_MS, on_late);
	stream_set_owner(stream, on_event, p);
	read_beginning(p);
}

struct local_proxy *local_proxy_new(const struct local_proxy_options *options)
{
	struct local_proxy *proxy = mem_alloc(sizeof(*proxy));

	*proxy = (struct local_proxy){ .options = *options };
	list_init(&proxy->peers);
	return proxy;
}

void local_proxy_set_address(struct local_proxy *proxy, struct str address)
{
	mem_free(proxy->address);
	proxy->address = str_copy(address);
}

void local_proxy_close(struct local_proxy *proxy)
{
	if (!proxy)
		return;
	LIST_FOREACH (&proxy->peers, node)
		close_peer(container_of(node, struct peer, node));
	mem_free(proxy->address);
	mem_free(proxy);
}
