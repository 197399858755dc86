/*
 * proxy_dial.c - each step leaves one operation pending: resolve (socks5 alone), dial, then CONNECT or SOCKS5
 */

#include "cli/proxy_dial.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/url.h"
#include "cli/proxy_url.h"
#include "cli/version.h"
#include "http/connect_client.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "io/socks5.h"
#include "io/stream_unread.h"
#include "tls/tls_stream.h"

#define TARGET_TEXT_MAX      (HOST_NAME_MAX_LEN + 16)
#define AUTHORIZATION_HEADER "Proxy-Authorization"

struct proxy_dial {
	struct loop *loop;
	struct resolver *resolver;
	struct proxy_dial_request request;
	char address[ADDR_TEXT_MAX];  /* of the host, if it is resolved here */
	char target[TARGET_TEXT_MAX]; /* "host:port" */
	struct buf authorization;
	struct resolver_query *query;
	struct dial *dial;
	struct connect_client *connect;
	struct socks5 *socks;
	void (*on_done)(void *arg, struct stream *stream, const struct err *e);
	void *arg;
};

void proxy_dial_cancel(struct proxy_dial *d)
{
	if (!d)
		return;
	resolver_query_cancel(TAKE(d->query));
	dial_cancel(TAKE(d->dial));
	connect_client_cancel(TAKE(d->connect));
	socks5_cancel(TAKE(d->socks));
	buf_done_secret(&d->authorization);
	loop_free_later(d->loop, d);
}

static void finish(struct proxy_dial *d, struct stream *stream, const struct err *e)
{
	d->on_done(d->arg, stream, e);
	proxy_dial_cancel(d);
}

static void fail(struct proxy_dial *d, const struct err *e)
{
	struct err wrapped = *e;

	err_wrap(&wrapped, "the proxy %s", d->request.proxy->name);
	finish(d, NULL, &wrapped);
}

/* ---- HTTP ---- */

void proxy_dial_explain(const struct proxy_url *proxy, const char *target, int status,
			struct err *ret)
{
	switch (status) {
	case 407:
		if (proxy->user)
			err_set(ret, ERR_PROTOCOL,
				"the proxy %s does not accept the user and the password (status "
				"407)",
				proxy->name);
		else
			err_set(ret, ERR_PROTOCOL,
				"the proxy %s asks for a user and a password (status 407); write "
				"them into its URL, before the host: user:password@",
				proxy->name);
		break;
	case 403:
		err_set(ret, ERR_UNREACHABLE,
			"the proxy %s does not allow connections to %s (status 403)", proxy->name,
			target);
		break;
	case 502:
	case 503:
	case 504:
		err_set(ret, ERR_UNREACHABLE, "the proxy %s cannot reach %s (status %d)",
			proxy->name, target, status);
		break;
	default:
		err_set(ret, ERR_PROTOCOL, "the proxy %s refuses the connection to %s (status %d)",
			proxy->name, target, status);
		break;
	}
}

static void on_connect_answer(void *arg, struct connect_result *result, const struct err *e)
{
	struct proxy_dial *d = arg;
	struct err problem;

	d->connect = NULL;
	if (!result) {
		fail(d, e);
		return;
	}
	if (result->status != 200) {
		proxy_dial_explain(d->request.proxy, d->target, result->status, &problem);
		finish(d, NULL, &problem);
		return;
	}
	if (d->request.may_speak_first) {
		finish(d, stream_unread_open(d->loop, result->stream, &result->early), NULL);
		return;
	}
	if (result->early.len > 0) {
		/* A gateway waits for its client: nothing can have come from there. */
		buf_done(&result->early);
		stream_close(result->stream, STREAM_CLOSE_NORMAL);
		err_set(&problem, ERR_PROTOCOL, "it sent bytes of its own into the connection");
		fail(d, &problem);
		return;
	}
	buf_done(&result->early);
	finish(d, result->stream, NULL);
}

static void ask_to_connect(struct proxy_dial *d, struct stream *stream)
{
	struct http_header headers[2] = { { STR("User-Agent"), STR(CLI_USER_AGENT) } };
	struct connect_request request = { .target = str_from(d->target),
					   .headers = headers,
					   .header_count = 1,
					   .timeout_ms = PROXY_ANSWER_TIMEOUT_MS };

	proxy_url_write_authorization(d->request.proxy, &d->authorization);
	if (d->authorization.len > 0)
		headers[request.header_count++] = (struct http_header){
			STR(AUTHORIZATION_HEADER), buf_view(&d->authorization)
		};
	d->connect = connect_client_start(d->loop, stream, &request, on_connect_answer, d);
}

static void use_http(struct proxy_dial *d, struct stream *stream)
{
	if (d->request.is_for_the_proxy)
		finish(d, stream, NULL);
	else
		ask_to_connect(d, stream);
}

/* ---- SOCKS ---- */

static void on_socks_answer(void *arg, struct stream *stream, const struct err *e)
{
	struct proxy_dial *d = arg;
	struct err problem;

	d->socks = NULL;
	if (stream) {
		finish(d, stream, NULL);
		return;
	}
	problem = *e;
	err_wrap(&problem, "the proxy %s does not connect to %s", d->request.proxy->name,
		 d->target);
	finish(d, NULL, &problem);
}

static void ask_socks(struct proxy_dial *d, struct stream *stream)
{
	const struct proxy_url *proxy = d->request.proxy;
	const struct socks5_request request = {
		.host = d->address[0] ? str_from(d->address) : d->request.host,
		.port = d->request.port,
		.user = str_from(proxy->user),
		.password = str_from(proxy->password),
		.timeout_ms = PROXY_ANSWER_TIMEOUT_MS,
	};

	d->socks = socks5_start(d->loop, stream, &request, on_socks_answer, d);
}

/* ---- getting there ---- */

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct proxy_dial *d = arg;
	struct err problem;

	d->dial = NULL;
	if (!stream) {
		problem = *e;
		err_wrap(&problem, "the proxy %s cannot be reached", d->request.proxy->name);
		finish(d, NULL, &problem);
		return;
	}
	switch (d->request.proxy->kind) {
	case PROXY_HTTPS:
		stream = tls_stream_connect(d->loop, stream, d->request.tls,
					    str_from(d->request.proxy->host));
		use_http(d, stream);
		return;
	case PROXY_HTTP:
		use_http(d, stream);
		return;
	case PROXY_SOCKS5:
	case PROXY_SOCKS5H:
		ask_socks(d, stream);
		return;
	}
}

static void dial_proxy(struct proxy_dial *d)
{
	const struct dial_target target = { .host = str_from(d->request.proxy->host),
					    .port = d->request.proxy->port,
					    .timeout_ms = DIAL_TIMEOUT_MS };

	d->dial = dial_start(d->loop, d->resolver, &target, on_dialed, d);
}

static void on_resolved(void *arg, const struct resolver_answer *answer, const struct err *e)
{
	struct proxy_dial *d = arg;

	d->query = NULL;
	if (!answer) {
		finish(d, NULL, e);
		return;
	}
	addr_format_ip(&answer->addresses[0], d->address);
	dial_proxy(d);
}

struct proxy_dial *proxy_dial_start(
	struct loop *loop, struct resolver *resolver, const struct proxy_dial_request *request,
	void (*on_done)(void *arg, struct stream *stream, const struct err *e), void *arg)
{
	struct proxy_dial *d = mem_alloc(sizeof(*d));
	bool is_ip6 = str_find(request->host, ':') < request->host.len;

	*d = (struct proxy_dial){ .loop = loop,
				  .resolver = resolver,
				  .request = *request,
				  .authorization = BUF_INIT(PROXY_AUTHORIZATION_MAX),
				  .on_done = on_done,
				  .arg = arg };
	(void)snprintf(d->target, sizeof(d->target), "%s%.*s%s:%u", is_ip6 ? "[" : "",
		       STR_FMT(request->host), is_ip6 ? "]" : "",
		       (unsigned)request->port); /* the user's own text; names are short */
	if (request->proxy->kind == PROXY_SOCKS5)
		d->query = resolver_query_start(resolver, request->host, AF_UNSPEC, on_resolved, d);
	else
		dial_proxy(d);
	return d;
}
