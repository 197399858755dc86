/*
 * login_callback.c - each connection gets one answer and is closed
 *
 * The token is handed on only when the connection that brought it has ended, so that the person sees the answer
 * even if the program goes away right after.
 */

#include "cli/login_callback.h"

#include "base/addr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/url.h"
#include "cli/credentials.h"
#include "http/h1_server.h"
#include "io/listener.h"
#include "io/loop.h"

#define PATH_RANDOM_SIZE 16
#define HEAD_TIMEOUT_MS  10000

struct peer {
	struct list_node node;
	struct login_callback *callback;
	struct h1_server *server;
	bool brought_token;
};

struct login_callback {
	struct loop *loop;
	struct listener *listener; /* NULL once there is a token */
	struct buf url;
	struct str host; /* in url */
	struct str path; /* in url */
	struct buf token;
	struct list peers;
	size_t peer_count;
	void (*on_token)(void *arg, struct str token);
	void *arg;
};

static bool is_own_path(const struct login_callback *c, struct str path)
{
	return path.len == c->path.len && mem_equal_secret(path.at, c->path.at, path.len);
}

/*
 * A browser that follows a redirect names no origin, or "null"; a page that asks behind the person's back has one, and says
 * that it does not go there.
 */
static bool is_foreign(const struct login_callback *c, const struct http_request *request)
{
	struct str own = str_first(buf_view(&c->url), strlen("http://") + c->host.len);
	struct str value;

	if (http_headers_get(&request->headers, STR("origin"), &value) && !str_equal(value, own) &&
	    !str_equal(value, STR("null")))
		return true;
	return http_headers_get(&request->headers, STR("sec-fetch-mode"), &value) &&
	       !str_equal(value, STR("navigate"));
}

/* The token a request brings; false if the request is not the one that is waited for. */
static bool find_token(const struct login_callback *c, const struct http_request *request,
		       struct arena *arena, struct str *ret_token)
{
	struct query query;
	struct str token;
	struct err ignored;

	if (!str_equal(request->method, STR("GET")) || !str_equal(request->authority, c->host))
		return false;
	if (!is_own_path(c, request->path) || is_foreign(c, request) || request->body.len > 0)
		return false;
	if (query_parse(request->query, arena, &query, &ignored) < 0 ||
	    !query_get(&query, STR("pomerium_jwt"), &token) || !token_is_valid(token))
		return false;
	*ret_token = token;
	return true;
}

static void respond(struct peer *p, int status, struct str text)
{
	static const struct http_header headers[] = {
		{ { "Content-Type", 12 }, { "text/plain", 10 } },
		{ { "Cache-Control", 13 }, { "no-store", 8 } },
		{ { "Referrer-Policy", 15 }, { "no-referrer", 11 } },
		{ { "X-Content-Type-Options", 22 }, { "nosniff", 7 } },
	};
	const struct http_response response = { .status = status,
						.headers = headers,
						.header_count = ARRAY_LEN(headers),
						.body = text,
						.close = true };

	h1_server_respond(p->server, &response);
}

static void take_token(struct login_callback *c, struct peer *p, struct str token)
{
	p->brought_token = true;
	(void)buf_append_str(&c->token, token); /* it fits: it is a valid token */
	listener_close(TAKE(c->listener));
}

static void on_request(void *arg, const struct http_request *request)
{
	struct peer *p = arg;
	struct login_callback *c = p->callback;
	struct arena arena = { 0 };
	struct str token;

	if (c->token.len == 0 && find_token(c, request, &arena, &token)) {
		take_token(c, p, token);
		respond(p, 200, STR("login complete, you may close this page"));
	} else {
		respond(p, 404, STR("not found"));
	}
	arena_done(&arena);
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	respond(arg, status, str_from(http_status_text(status)));
}

static void forget_peer(struct peer *p)
{
	list_remove(&p->node);
	p->callback->peer_count--;
	loop_free_later(p->callback->loop, p);
}

static void on_closed(void *arg, const struct err *e)
{
	struct peer *p = arg;
	struct login_callback *c = p->callback;
	bool brought_token = p->brought_token;

	forget_peer(p);
	if (brought_token)
		c->on_token(c->arg, buf_view(&c->token));
}

static void close_peer(struct peer *p)
{
	h1_server_close(TAKE(p->server), STREAM_CLOSE_NORMAL);
	forget_peer(p);
}

/* Not the one that brought the token: it is being answered. */
static void make_room(struct login_callback *c)
{
	LIST_FOREACH (&c->peers, node) {
		struct peer *p = container_of(node, struct peer, node);
		if (!p->brought_token) {
			close_peer(p);
			return;
		}
	}
}

void login_callback_serve(struct login_callback *c, struct stream *stream)
{
	static const struct h1_server_events events = { .on_request = on_request,
							.on_bad_request = on_bad_request,
							.on_closed = on_closed };
	struct peer *p = mem_alloc(sizeof(*p));
	const struct h1_server_options options = { .head_timeout_ms = HEAD_TIMEOUT_MS,
						   .idle_timeout_ms = HEAD_TIMEOUT_MS,
						   .events = &events,
						   .arg = p };

	if (c->peer_count == LOGIN_CALLBACK_PEERS_MAX)
		make_room(c);
	p->callback = c;
	list_append(&c->peers, &p->node);
	c->peer_count++;
	p->server = h1_server_open(c->loop, stream, &options);
}

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	login_callback_serve(arg, stream);
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	/* The browser sees a closed connection and the person tries again. */
}

/* host and path become views into the URL */
static void make_url(struct login_callback *c)
{
	uint8_t random[PATH_RANDOM_SIZE];
	struct addr address;
	char host[ADDR_TEXT_MAX];

	random_bytes(random, sizeof(random));
	listener_address(c->listener, &address);
	addr_format(&address, host);
	buf_init(&c->url, URL_MAX);
	buf_printf(&c->url, "http://%s/", host);
	(void)hex_encode(&c->url, random, sizeof(random)); /* URL_MAX is plenty */
	c->host = str_of(c->url.data + strlen("http://"), strlen(host));
	c->path = str_from_pos(buf_view(&c->url), strlen("http://") + c->host.len);
}

struct login_callback *login_callback_open(struct loop *loop,
					   void (*on_token)(void *arg, struct str token), void *arg,
					   struct err *e)
{
	static const struct listener_events events = { .on_accept = on_accept,
						       .on_problem = on_problem };
	struct login_callback *c = mem_alloc(sizeof(*c));
	struct addr loopback;

	*c = (struct login_callback){ .loop = loop, .on_token = on_token, .arg = arg };
	list_init(&c->peers);
	buf_init(&c->token, TOKEN_MAX);
	(void)addr_from_ip(STR("127.0.0.1"), 0, &loopback); /* it is one */
	c->listener = listener_open(loop, &loopback, false, &events, c, e);
	if (!c->listener) {
		mem_free(c);
		return NULL;
	}
	make_url(c);
	return c;
}

struct str login_callback_url(const struct login_callback *c)
{
	return buf_view(&c->url);
}

void login_callback_close(struct login_callback *c)
{
	if (!c)
		return;
	LIST_FOREACH (&c->peers, node)
		close_peer(container_of(node, struct peer, node));
	if (c->listener)
		listener_close(TAKE(c->listener));
	buf_done(&c->url);
	buf_done_secret(&c->token);
	loop_free_later(c->loop, c);
}
