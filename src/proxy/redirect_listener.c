#include "proxy/redirect_listener.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/url.h"
#include "http/h1_server.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/proxy_protocol.h"
#include "proxy/control.h"
#include "proxy/snapshot.h"

struct redirect_listener {
	struct control *control;
	struct listener *listener; /* NULL: none is wanted */
	struct listener *retiring; /* the one before it, or NULL */
	struct addr wanted;        /* as configured */
	struct list connections;
	size_t connection_count;
};

struct redirect_connection {
	struct list_node in_listener;
	struct redirect_listener *owner;
	struct proxy_header_reader *header;
	struct stream *stream; /* until the server has it */
	struct h1_server *http;
	struct addr peer;
	uint64_t began_ms;
};

static void forget(struct redirect_connection *c)
{
	list_remove(&c->in_listener);
	c->owner->connection_count--;
	loop_free_later(c->owner->control->loop, c);
}

static void close_connection(struct redirect_connection *c, enum stream_close how)
{
	proxy_header_read_cancel(TAKE(c->header));
	stream_close(TAKE(c->stream), how);
	h1_server_close(TAKE(c->http), how);
	forget(c);
}

/* ---- answering ---- */

static void refuse(struct redirect_connection *c, int status)
{
	const struct http_header headers[] = { { STR("server"), STR("pomerium") } };

	h1_server_respond(c->http, &(struct http_response){
					   .status = status,
					   .headers = headers,
					   .header_count = ARRAY_LEN(headers),
					   .close = true,
				   });
}

/* False: it names no host. */
static bool find_host(const struct http_request *request, struct str *ret)
{
	struct authority authority;

	if (request->is_connect || request->path.len == 0 || request->path.at[0] != '/' ||
	    authority_parse(request->authority, false, &authority, NULL) < 0)
		return false;
	*ret = authority.is_ip6_literal ? str_first(authority.text, authority.host.len + 2)
					: authority.host;
	return true;
}

static void on_request(void *arg, const struct http_request *request)
{
	struct redirect_connection *c = arg;
	struct buf location = BUF_INIT(URL_MAX);
	struct str host;

	if (!find_host(request, &host)) {
		refuse(c, 400);
		return;
	}
	if (request->path.len + request->query.len > REDIRECT_TARGET_MAX) {
		refuse(c, 414);
		return;
	}
	(void)buf_printf(&location, "https://%.*s%.*s%s%.*s", STR_FMT(host), STR_FMT(request->path),
			 str_is_empty(request->query) ? "" : "?",
			 STR_FMT(request->query)); /* fits */
	const struct http_header headers[] = {
		{ STR("location"), buf_view(&location) },
		{ STR("server"), STR("pomerium") },
	};
	h1_server_respond(c->http, &(struct http_response){
					   .status = 301,
					   .headers = headers,
					   .header_count = ARRAY_LEN(headers),
					   .close = true,
				   });
	buf_done(&location);
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	refuse(arg, status);
}

static void on_closed(void *arg, const struct err *e)
{
	struct redirect_connection *c = arg;

	c->http = NULL;
	forget(c);
}

static const struct h1_server_events server_events = {
	.on_request = on_request,
	.on_bad_request = on_bad_request,
	.on_closed = on_closed,
};

/* ---- accepting ---- */

static void serve(struct redirect_connection *c)
{
	c->http = h1_server_open(c->owner->control->loop, TAKE(c->stream),
				 &(struct h1_server_options){
					 .head_timeout_ms = REDIRECT_TIMEOUT_MS,
					 .idle_timeout_ms = REDIRECT_TIMEOUT_MS,
					 .began_ms = c->began_ms,
					 .events = &server_events,
					 .arg = c,
				 });
}

static void on_header(void *arg, const struct proxy_header *header, const struct err *e)
{
	struct redirect_connection *c = arg;
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	c->header = NULL;
	if (header) {
		serve(c);
		return;
	}
	if (e->kind != ERR_CLOSED) {
		addr_format_ip(&c->peer, ip);
		log_begin(c->owner->control->log, &line, LOG_INFO, "redirect");
		log_cstr(&line, "ip", ip);
		log_cstr(&line, "error", e->text);
		log_end(&line, "connection failed");
	}
	close_connection(c, STREAM_CLOSE_RESET);
}

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	struct redirect_listener *r = arg;
	struct control *control = r->control;
	struct redirect_connection *c;

	if (r->connection_count >= REDIRECT_CONNECTIONS_MAX) {
		stream_close(stream, STREAM_CLOSE_RESET);
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->owner = r;
	c->stream = stream;
	c->peer = *peer;
	c->began_ms = loop_now_ms(control->loop);
	list_append(&r->connections, &c->in_listener);
	r->connection_count++;
	if (control->snapshot->config->listen.use_proxy_protocol)
		c->header = proxy_header_read_start(
			control->loop, stream, c->began_ms + REDIRECT_TIMEOUT_MS, on_header, c);
	else
		serve(c);
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	struct redirect_listener *r = arg;

	log_error(r->control->log, LOG_ERROR, "redirect",
		  "cannot accept connections: still listening", e);
}

static const struct listener_events listener_events = {
	.on_accept = on_accept,
	.on_problem = on_problem,
};

/* ---- birth, change and death ---- */

struct redirect_listener *redirect_listener_new(struct control *control)
{
	struct redirect_listener *r = mem_alloc(sizeof(*r));

	r->control = control;
	list_init(&r->connections);
	return r;
}

static void on_retired(void *arg)
{
	struct redirect_listener *r = arg;

	r->retiring = NULL;
}

int redirect_listener_fd(const struct redirect_listener *r)
{
	return r->listener ? listener_fd(r->listener) : -1;
}

void redirect_listener_stop(struct redirect_listener *r)
{
	if (!r->listener)
		return;
	listener_close(r->retiring);
	r->retiring = TAKE(r->listener);
	listener_finish(r->retiring, on_retired);
}

void redirect_listener_free(struct redirect_listener *r)
{
	if (!r)
		return;
	listener_close(TAKE(r->listener));
	listener_close(TAKE(r->retiring));
	LIST_FOREACH (&r->connections, node) {
		close_connection(container_of(node, struct redirect_connection, in_listener),
				 STREAM_CLOSE_NORMAL);
	}
	mem_free(r);
}

static bool is_change(const struct redirect_listener *r, const struct config_listen *next)
{
	char before[ADDR_TEXT_MAX];
	char after[ADDR_TEXT_MAX];

	if (!next->has_redirect_address || !r->listener)
		return next->has_redirect_address || r->listener;
	addr_format(&r->wanted, before);
	addr_format(&next->redirect_address, after);
	return strcmp(before, after) != 0;
}

int redirect_listener_prepare(struct redirect_listener *r, const struct config_listen *next,
			      struct redirect_change *ret, struct err *e)
{
	const struct addr *address = &next->redirect_address;
	struct redirect_change change = { .is_one = is_change(r, next), .socket = -1 };
	bool is_port_ours = r->listener && addr_port(&r->wanted) == addr_port(address);

	if (change.is_one && next->has_redirect_address)
		change.socket = lifecycle_take_socket(r->control, SOCKET_REDIRECT, address);
	if (change.is_one && next->has_redirect_address && change.socket < 0) {
		if (!is_port_ours && listener_check_free(address, e) < 0)
			return err_wrap(e, "http_redirect_addr");
		change.socket = listener_bind(address, true, e);
		if (change.socket < 0)
			return err_wrap(e, "http_redirect_addr");
	}
	*ret = change;
	return 0;
}

static void log_listening(struct redirect_listener *r)
{
	struct log_line line;
	struct addr bound;
	char text[ADDR_TEXT_MAX];

	listener_address(r->listener, &bound);
	addr_format(&bound, text);
	log_begin(r->control->log, &line, LOG_INFO, "redirect");
	log_cstr(&line, "addr", text);
	log_end(&line, "redirecting plain HTTP to https");
}

void redirect_listener_commit(struct redirect_listener *r, const struct config_listen *next,
			      struct redirect_change *change)
{
	struct err e = { 0 };

	if (!change->is_one)
		return;
	change->is_one = false;
	listener_close(TAKE(r->retiring));
	r->retiring = TAKE(r->listener);
	if (r->retiring)
		listener_retire(r->retiring, on_retired);
	if (change->socket < 0)
		return;
	r->wanted = next->redirect_address;
	r->listener = listener_adopt(r->control->loop, change->socket, &listener_events, r, &e);
	if (r->listener)
		log_listening(r);
	else
		log_error(r->control->log, LOG_ERROR, "redirect",
			  "plain HTTP is not redirected to https", &e);
}

void redirect_change_discard(struct redirect_change *change)
{
	if (change->is_one && change->socket >= 0)
		(void)close(change->socket); /* nobody was served */
	change->is_one = false;
}
