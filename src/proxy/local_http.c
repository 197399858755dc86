#include "proxy/local_http.h"

#include "base/mem.h"
#include "http/h1_server.h"
#include "io/listener.h"
#include "io/listener_unix.h"
#include "io/loop.h"
#include "tls/tls_stream.h"

struct local_http {
	struct loop *loop;
	struct listener *listener;
	struct listener_unix *listener_unix;
	struct tls_config *tls; /* referenced; NULL: plain HTTP */
	local_serve_function *serve;
	void *arg;
	struct list connections;
	size_t connection_count;
};

struct local_connection {
	struct list_node in_service;
	struct local_http *service;
	struct h1_server *http;
	struct local_request request;
	bool is_serving;
	uid_t peer_uid;
};

static void end_request(struct local_connection *c)
{
	struct local_request *r = &c->request;

	if (r->pending)
		r->cancel_pending(TAKE(r->pending));
	arena_done(&r->arena);
	c->is_serving = false;
}

static void forget(struct local_connection *c)
{
	end_request(c);
	list_remove(&c->in_service);
	c->service->connection_count--;
	loop_free_later(c->service->loop, c);
}

static void on_request(void *arg, const struct http_request *http)
{
	struct local_connection *c = arg;

	c->is_serving = true;
	c->request = (struct local_request){
		.http = http, .service = c->service->arg, .peer_uid = c->peer_uid, .connection = c
	};
	c->service->serve(&c->request);
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	struct local_connection *c = arg;

	h1_server_respond(c->http, &(struct http_response){ .status = status, .close = true });
}

static void on_closed(void *arg, const struct err *e)
{
	struct local_connection *c = arg;

	c->http = NULL;
	forget(c);
}

static const struct h1_server_events server_events = {
	.on_request = on_request,
	.on_bad_request = on_bad_request,
	.on_closed = on_closed,
};

static void serve_stream(struct local_http *h, struct stream *stream, uid_t peer)
{
	struct local_connection *c;

	if (h->connection_count >= LOCAL_HTTP_CONNECTIONS_MAX) {
		stream_close(stream, STREAM_CLOSE_RESET);
		return;
	}
	if (h->tls)
		stream = tls_stream_accept(h->loop, stream, h->tls);
	c = mem_alloc(sizeof(*c));
	c->service = h;
	c->peer_uid = peer;
	list_append(&h->connections, &c->in_service);
	h->connection_count++;
	c->http = h1_server_open(h->loop, stream,
				 &(struct h1_server_options){
					 .head_timeout_ms = LOCAL_HTTP_TIMEOUT_MS,
					 .idle_timeout_ms = LOCAL_HTTP_TIMEOUT_MS,
					 .events = &server_events,
					 .arg = c,
				 });
}

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	serve_stream(arg, stream, (uid_t)-1);
}

static void on_accept_unix(void *arg, struct stream *stream, uid_t peer)
{
	serve_stream(arg, stream, peer);
}

/* The next one that can be accepted is. */
static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
}

static const struct listener_events listener_events = {
	.on_accept = on_accept,
	.on_problem = on_problem,
};

static struct local_http *make(struct loop *loop, local_serve_function *serve, void *arg)
{
	struct local_http *h = mem_alloc(sizeof(*h));

	h->loop = loop;
	h->serve = serve;
	h->arg = arg;
	list_init(&h->connections);
	return h;
}

struct local_http *local_http_open(struct loop *loop, const struct addr *address,
				   local_serve_function *serve, void *arg, struct err *e)
{
	struct local_http *h = make(loop, serve, arg);

	h->listener = listener_open(loop, address, false, &listener_events, h, e);
	if (h->listener)
		return h;
	mem_free(h);
	return NULL;
}

struct local_http *local_http_adopt(struct loop *loop, int fd, local_serve_function *serve,
				    void *arg, struct err *e)
{
	struct local_http *h = make(loop, serve, arg);

	h->listener = listener_adopt(loop, fd, &listener_events, h, e);
	if (h->listener)
		return h;
	mem_free(h);
	return NULL;
}

struct local_http *local_http_open_unix(struct loop *loop, const char *path,
					local_serve_function *serve, void *arg, struct err *e)
{
	struct local_http *h = make(loop, serve, arg);

	h->listener_unix = listener_unix_open(loop, path, on_accept_unix, h, e);
	if (h->listener_unix)
		return h;
	mem_free(h);
	return NULL;
}

struct local_http *local_http_open_unix_beside(struct loop *loop, const char *path,
					       local_serve_function *serve, void *arg,
					       struct err *e)
{
	struct local_http *h = make(loop, serve, arg);

	h->listener_unix = listener_unix_open_beside(loop, path, on_accept_unix, h, e);
	if (h->listener_unix)
		return h;
	mem_free(h);
	return NULL;
}

int local_http_take_over(struct local_http *h, struct err *e)
{
	return listener_unix_take_over(h->listener_unix, e);
}

int local_http_fd(const struct local_http *h)
{
	return listener_fd(h->listener);
}

static void on_stopped(void *arg)
{
	struct local_http *h = arg;

	h->listener = NULL;
}

void local_http_stop(struct local_http *h)
{
	if (h->listener)
		listener_finish(h->listener, on_stopped);
	listener_unix_close(TAKE(h->listener_unix));
}

void local_http_use_tls(struct local_http *h, struct tls_config *tls)
{
	tls_config_unref(h->tls);
	h->tls = tls ? tls_config_ref(tls) : NULL;
}

void local_http_close(struct local_http *h)
{
	if (!h)
		return;
	tls_config_unref(TAKE(h->tls));
	if (h->listener)
		listener_close(h->listener);
	listener_unix_close(h->listener_unix);
	LIST_FOREACH (&h->connections, node) {
		struct local_connection *c = container_of(node, struct local_connection,
							  in_service);

		h1_server_close(TAKE(c->http), STREAM_CLOSE_NORMAL);
		forget(c);
	}
	loop_free_later(h->loop, h);
}

static void reply(struct local_request *r, const struct http_response *response)
{
	struct local_connection *c = r->connection;

	r->pending = NULL;
	h1_server_respond(c->http, response);
	end_request(c);
}

void local_reply(struct local_request *r, int status, const char *content_type, struct str body)
{
	const struct http_header headers[] = {
		{ STR("content-type"), str_from(content_type) },
		{ STR("cache-control"), STR("no-store") },
	};

	reply(r, &(struct http_response){
			 .status = status,
			 .headers = headers,
			 .header_count = ARRAY_LEN(headers),
			 .body = body,
		 });
}

void local_reply_unauthorized(struct local_request *r)
{
	const struct http_header headers[] = {
		{ STR("www-authenticate"), STR("Basic realm=\"pomerium\", charset=\"UTF-8\"") },
		{ STR("content-type"), STR("text/plain") },
	};

	reply(r, &(struct http_response){
			 .status = 401,
			 .headers = headers,
			 .header_count = ARRAY_LEN(headers),
			 .body = STR("Unauthorized\n"),
		 });
}
