/*
 * fake_gateway.c - an HTTP/1.1 server and a browser, both in the loop of the test
 */

#include "cli/fake_gateway.h"

#include <assert.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/url.h"
#include "http/client.h"
#include "http/h1_server.h"
#include "io/dial.h"
#include "io/listener.h"
#include "io/loop.h"

struct peer {
	struct list_node node;
	struct fake_gateway *gateway;
	struct h1_server *server;
};

/* ---- the browser ---- */

static void on_browser_answer(void *arg, const struct http_client_response *response,
			      const struct err *e)
{
	struct fake_gateway *g = arg;

	g->browser_request = NULL;
}

static void on_browser_dialed(void *arg, struct stream *stream, const struct addr *peer,
			      const struct err *e)
{
	struct fake_gateway *g = arg;
	struct buf target = BUF_INIT(512);
	struct http_client_request request = { .method = STR("GET"),
					       .timeout_ms = 5000,
					       .body_max = 1000 };
	struct url url;
	struct err ignored;

	g->browser_dial = NULL;
	assert(stream);
	assert(url_parse(str_from(g->callback), &url, &ignored) == 0);
	buf_printf(&target, "%.*s?pomerium_jwt=%s", STR_FMT(url.path), g->brought_token);
	request.host = url.authority.text;
	request.target = buf_view(&target);
	g->browser_request = http_client_start(g->loop, stream, &request, on_browser_answer, g);
	buf_done(&target);
}

static void begin_browser(struct fake_gateway *g, struct str query_text)
{
	struct arena arena = { 0 };
	struct query query;
	struct str callback;
	struct url url;
	struct err e;

	assert(query_parse(query_text, &arena, &query, &e) == 0);
	assert(query_get(&query, STR("pomerium_redirect_uri"), &callback));
	snprintf(g->callback, sizeof(g->callback), "%.*s", STR_FMT(callback));
	assert(url_parse(str_from(g->callback), &url, &e) == 0);
	g->browser_dial = dial_start(g->loop, g->resolver,
				     &(struct dial_target){ .host = url.authority.host,
							    .port = url.authority.port,
							    .timeout_ms = 5000 },
				     on_browser_dialed, g);
	arena_done(&arena);
}

/* ---- the gateway ---- */

static void respond(struct peer *p, int status, struct str body)
{
	h1_server_respond(p->server,
			  &(struct http_response){ .status = status, .body = body, .close = true });
}

static void forget_peer(struct peer *p)
{
	list_remove(&p->node);
	loop_free_later(p->gateway->loop, p);
}

static void open_tunnel(struct peer *p)
{
	const struct http_header headers[] = { { STR("x-pomerium-half-close"), STR("?1") },
					       { STR("x-request-id"), STR(FAKE_TUNNEL_ID) } };
	const struct http_response response = {
		.status = 200,
		.headers = headers,
		.header_count = p->gateway->cuts_tunnels ? 2 : 1,
	};
	struct buf head = BUF_INIT(4096);
	struct buf early = BUF_INIT(H1_EARLY_MAX);
	struct stream *stream = h1_server_take_tunnel(p->server, &response, &head, &early);

	buf_append_str(&head, STR("hi"));
	assert(stream_write(stream, head.data, head.len) == (ssize_t)head.len);
	if (p->gateway->cuts_tunnels)
		p->gateway->tunnel = stream;
	else
		stream_close(stream, STREAM_CLOSE_NORMAL);
	buf_done(&head);
	buf_done(&early);
	forget_peer(p);
}

/* False: answered, with a refusal. */
static bool check_token(struct peer *p, const struct http_request *request)
{
	struct str authorization = STR("");

	if (!http_headers_get(&request->headers, STR("authorization"), &authorization))
		respond(p, 302, STR("log in"));
	else if (!str_equal(authorization, STR("Pomerium good")))
		respond(p, 401, STR(""));
	else
		return true;
	return false;
}

static void answer_connect(struct peer *p, const struct http_request *request)
{
	p->gateway->connect_count++;
	assert(str_equal(request->authority, STR("db.example:5432")));
	if (!check_token(p, request))
		return;
	if (p->gateway->status != 200)
		respond(p, p->gateway->status, STR(""));
	else
		open_tunnel(p);
}

static void answer_api(struct peer *p, const struct http_request *request)
{
	p->gateway->api_count++;
	if (check_token(p, request))
		respond(p, p->gateway->status, STR("things"));
}

static void answer_end(struct peer *p)
{
	p->gateway->end_count++;
	h1_server_respond(p->server,
			  &(struct http_response){
				  .status = p->gateway->end_answer ? 200 : 404,
				  .body = p->gateway->end_answer ? str_from(p->gateway->end_answer)
								 : STR("Not Found\n"),
				  .close = !p->gateway->keeps_asker,
			  });
}

static void on_request(void *arg, const struct http_request *request)
{
	struct peer *p = arg;

	if (request->is_connect) {
		answer_connect(p, request);
		return;
	}
	if (str_equal(request->path, STR("/.pomerium/api/v1/tunnels/" FAKE_TUNNEL_ID "/end"))) {
		answer_end(p);
		return;
	}
	if (str_equal(request->path, STR(FAKE_API))) {
		answer_api(p, request);
		return;
	}
	if (str_equal(request->path, STR("/.well-known/pomerium"))) {
		respond(p, 404, STR("Not Found\n")); /* a login with a browser is all it has */
		return;
	}
	assert(str_equal(request->path, STR("/.pomerium/api/v1/login")));
	p->gateway->login_count++;
	if (!p->gateway->brought_token) {
		respond(p, 500, STR(""));
		return;
	}
	begin_browser(p->gateway, request->query);
	respond(p, 200, STR("https://authenticate.example/sign_in?a=b"));
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	assert(false); /* the client sent a bad request */
}

static void on_closed(void *arg, const struct err *e)
{
	forget_peer(arg);
}

static void on_accept(void *arg, struct stream *stream, const struct addr *address)
{
	static const struct h1_server_events events = { .on_request = on_request,
							.on_bad_request = on_bad_request,
							.on_closed = on_closed };
	struct fake_gateway *g = arg;
	struct peer *p = mem_alloc(sizeof(*p));

	p->gateway = g;
	g->accept_count++;
	list_append(&g->peers, &p->node);
	p->server = h1_server_open(g->loop, stream,
				   &(struct h1_server_options){ .head_timeout_ms = 5000,
								.idle_timeout_ms = 5000,
								.events = &events,
								.arg = p });
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	assert(false); /* the gateway of the test cannot accept */
}

void fake_gateway_open(struct fake_gateway *g, struct loop *loop, struct resolver *resolver)
{
	static const struct listener_events events = { .on_accept = on_accept,
						       .on_problem = on_problem };
	struct addr address;
	struct err e;

	*g = (struct fake_gateway){
		.loop = loop, .resolver = resolver, .status = 200, .brought_token = "good"
	};
	list_init(&g->peers);
	assert(addr_from_ip(STR("127.0.0.1"), 0, &address));
	g->listener = listener_open(loop, &address, false, &events, g, &e);
	assert(g->listener);
	listener_address(g->listener, &address);
	snprintf(g->url, sizeof(g->url), "http://127.0.0.1:%u", (unsigned)addr_port(&address));
}

void fake_gateway_cut(struct fake_gateway *g)
{
	stream_close(TAKE(g->tunnel), STREAM_CLOSE_RESET);
}

void fake_gateway_close(struct fake_gateway *g)
{
	stream_close(TAKE(g->tunnel), STREAM_CLOSE_NORMAL);
	dial_cancel(g->browser_dial);
	http_client_cancel(g->browser_request);
	LIST_FOREACH (&g->peers, node) {
		struct peer *p = container_of(node, struct peer, node);
		h1_server_close(p->server, STREAM_CLOSE_NORMAL);
		forget_peer(p);
	}
	listener_close(g->listener);
}
