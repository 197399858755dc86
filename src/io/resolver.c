/*
 * c-ares does the asking. Its sockets are watched with libuv's level-triggered handles, because c-ares reads only
 * one message per call from a TCP name server; its time-outs are one timer, set anew after every call into c-ares.
 *
 * c-ares may answer from inside the question (hosts file, no servers) and cannot take back a single
 * question. So every answer is kept in the query and delivered by a later-call, and a query cancelled while
 * c-ares holds it stays as a silent shell until c-ares lets go.
 */

#include "io/resolver.h"

#include <assert.h>
#include <netdb.h>
#include <sys/time.h>

#include <ares.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/url.h"
#include "io/loop.h"
#include "io/resolver_cache.h"

#define FIRST_TRY_MS 2000
#define TRIES        3

struct resolver {
	struct loop *loop;
	ares_channel channel;
	struct timer timer;
	struct list queries;
	struct list sockets;
	struct resolver_cache cache;
};

struct resolver_query {
	struct resolver *resolver;
	struct list_node node;
	char *host; /* lower case */
	int family;
	struct later later;
	struct resolver_answer *answer; /* NULL: failed */
	struct err err;
	bool is_at_ares;
	bool is_reported;
	void (*on_done)(void *arg, const struct resolver_answer *answer, const struct err *e);
	void *arg;
};

/* ---- sockets and time-outs of c-ares ---- */

struct ares_socket {
	uv_poll_t handle;
	struct list_node node;
	struct resolver *resolver;
	ares_socket_t fd;
};

static void on_ares_due(struct timer *timer);

static void set_timer(struct resolver *r)
{
	struct timeval left = { 0 };

	timer_cancel(&r->timer);
	if (!ares_timeout(r->channel, NULL, &left))
		return;
	timer_start(&r->timer, r->loop,
		    loop_now_ms(r->loop) + (uint64_t)left.tv_sec * 1000 +
			    (uint64_t)left.tv_usec / 1000 + 1,
		    on_ares_due);
}

static void on_ares_due(struct timer *timer)
{
	struct resolver *r = container_of(timer, struct resolver, timer);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(r);
}

static void on_socket_ready(uv_poll_t *handle, int status, int events)
{
	struct ares_socket *socket = handle->data;
	struct resolver *r = socket->resolver;
	bool is_readable = status < 0 || (events & UV_READABLE);
	bool is_writable = status < 0 || (events & UV_WRITABLE);

	ares_process_fd(r->channel, is_readable ? socket->fd : ARES_SOCKET_BAD,
			is_writable ? socket->fd : ARES_SOCKET_BAD);
	set_timer(r);
}

static void on_socket_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

static struct ares_socket *find_socket(struct resolver *r, ares_socket_t fd)
{
	LIST_FOREACH (&r->sockets, node) {
		struct ares_socket *socket = container_of(node, struct ares_socket, node);

		if (socket->fd == fd)
			return socket;
	}
	return NULL;
}

static void close_socket(struct ares_socket *socket)
{
	list_remove(&socket->node);
	uv_poll_stop(&socket->handle);
	uv_close((uv_handle_t *)&socket->handle, on_socket_closed);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct ares_socket *socket = find_socket(r, fd);

	if (!readable && !writable) {
		if (socket)
			close_socket(socket);
		return;
	}
	if (!socket) {
		socket = mem_alloc(sizeof(*socket));
		socket->resolver = r;
		socket->fd = fd;
		/* Cannot fail for a fresh socket; if it did, the time-out would report it. */
		if (uv_poll_init(loop_uv(r->loop), &socket->handle, fd) < 0) {
			mem_free(socket);
			return;
		}
		socket->handle.data = socket;
		list_append(&r->sockets, &socket->node);
	}
	uv_poll_start(&socket->handle, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
		      on_socket_ready);
}

/* ---- queries ---- */

static void query_release(struct resolver_query *q)
{
	struct loop *loop = q->resolver->loop;

	list_remove(&q->node);
	later_cancel(&q->later);
	loop_free_later(loop, TAKE(q->host));
	loop_free_later(loop, TAKE(q->answer));
	loop_free_later(loop, q);
}

static void on_query_due(struct later *later)
{
	struct resolver_query *q = container_of(later, struct resolver_query, later);

	q->is_reported = true;
	/* on_done may free the resolver, and this query is no longer its business. */
	list_remove(&q->node);
	q->on_done(q->arg, q->answer, q->answer ? NULL : &q->err);
	query_release(q);
}

static void report_later(struct resolver_query *q)
{
	later_start(&q->later, q->resolver->loop, on_query_due);
}

static bool add_node(struct resolver_answer *answer, const struct ares_addrinfo_node *node)
{
	struct addr *to = &answer->addresses[answer->count];

	if (node->ai_family == AF_INET && node->ai_addrlen >= sizeof(to->ip4))
		memcpy(&to->ip4, node->ai_addr, sizeof(to->ip4));
	else if (node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(to->ip6))
		memcpy(&to->ip6, node->ai_addr, sizeof(to->ip6));
	else
		return false;
	addr_set_port(to, 0);
	answer->count++;
	return true;
}

static int ttl_of(const struct ares_addrinfo *info)
{
	int ttl = RESOLVER_TTL_MAX_S;

	for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
		if (n->ai_ttl < ttl)
			ttl = n->ai_ttl;
	}
	for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next) {
		if (c->ttl < ttl)
			ttl = c->ttl;
	}
	return ttl > RESOLVER_TTL_MIN_S ? ttl : RESOLVER_TTL_MIN_S;
}

static void take_answer(struct resolver_query *q, const struct ares_addrinfo *info)
{
	struct resolver *r = q->resolver;
	struct resolver_answer *answer = mem_alloc(sizeof(*answer));
	uint64_t until_ms = loop_now_ms(r->loop) + (uint64_t)ttl_of(info) * 1000;

	for (const struct ares_addrinfo_node *n = info->nodes;
	     n && answer->count < RESOLVER_ADDRESSES_MAX; n = n->ai_next)
		(void)add_node(answer, n);
	if (answer->count == 0) {
		err_set(&q->err, ERR_DNS, "%s has no address", q->host);
		mem_free(answer);
		return;
	}
	q->answer = answer;
	resolver_cache_put(&r->cache, str_from(q->host), q->family, answer, until_ms);
}

static void on_ares_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_query *q = arg;

	q->is_at_ares = false;
	if (status == ARES_SUCCESS && info)
		take_answer(q, info);
	else
		err_set(&q->err, ERR_DNS, "cannot resolve %s: %s", q->host, ares_strerror(status));
	if (info)
		ares_freeaddrinfo(info);

	if (status == ARES_EDESTRUCTION || !q->on_done)
		query_release(q);
	else
		report_later(q);
}

static void ask_ares(struct resolver_query *q)
{
	struct resolver *r = q->resolver;
	/* The order of the families is the business of dial.c. */
	struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = q->family,
		.ai_socktype = SOCK_STREAM,
	};

	q->is_at_ares = true;
	ares_getaddrinfo(r->channel, q->host, NULL, &hints, on_ares_answer, q);
	set_timer(r);
}

static bool is_localhost(struct str host)
{
	return str_equal(host, STR("localhost")) || str_ends_with(host, STR(".localhost"));
}

static struct resolver_answer *answer_loopback(int family)
{
	struct resolver_answer *answer = mem_alloc(sizeof(*answer));

	if (family != AF_INET6)
		(void)addr_from_ip(STR("127.0.0.1"), 0, &answer->addresses[answer->count++]);
	if (family != AF_INET)
		(void)addr_from_ip(STR("::1"), 0, &answer->addresses[answer->count++]);
	return answer;
}

/* What is known without asking anybody. */
static struct resolver_answer *answer_directly(struct resolver *r, struct str host, int family)
{
	const struct resolver_answer *cached = NULL;
	struct addr literal = { 0 };
	struct resolver_answer *answer = NULL;

	if (addr_from_ip(host, 0, &literal)) {
		answer = mem_alloc(sizeof(*answer));
		answer->addresses[0] = literal;
		answer->count = 1;
		return answer;
	}
	/* The root's dot changes nothing for these names. */
	if (is_localhost(host) ||
	    (str_ends_with(host, STR(".")) && is_localhost(str_first(host, host.len - 1))))
		return answer_loopback(family);
	cached = resolver_cache_get(&r->cache, host, family, loop_now_ms(r->loop));
	return cached ? mem_copy(cached, sizeof(*cached)) : NULL;
}

struct resolver_query *resolver_query_start(struct resolver *r, struct str host, int family,
					    void (*on_done)(void *arg,
							    const struct resolver_answer *answer,
							    const struct err *e),
					    void *arg)
{
	struct resolver_query *q = mem_alloc(sizeof(*q));

	q->resolver = r;
	q->family = family;
	q->on_done = on_done;
	q->arg = arg;
	list_append(&r->queries, &q->node);

	if (str_is_empty(host) || host.len > HOST_NAME_MAX_LEN || !str_is_printable_ascii(host)) {
		err_set(&q->err, ERR_DNS, "this is not a host name that can be resolved");
		report_later(q);
		return q;
	}
	q->host = str_copy_lower(host);
	q->answer = answer_directly(r, str_from(q->host), family);
	if (q->answer)
		report_later(q);
	else
		ask_ares(q);
	return q;
}

void resolver_query_cancel(struct resolver_query *q)
{
	/* From inside on_done there is nothing left to cancel. */
	if (!q || q->is_reported)
		return;
	q->on_done = NULL;
	if (!q->is_at_ares)
		query_release(q);
}

/* ---- birth and death ---- */

struct resolver *resolver_new(struct loop *loop, struct err *e)
{
	struct resolver *r = mem_alloc(sizeof(*r));
	struct ares_options options = {
		.timeout = FIRST_TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status == ARES_SUCCESS)
		status = ares_init_options(&r->channel, &options,
					   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
						   ARES_OPT_SOCK_STATE_CB);
	if (status != ARES_SUCCESS) {
		err_set(e, ERR_DNS, "cannot start the resolver: %s", ares_strerror(status));
		mem_free(r);
		return NULL;
	}
	r->loop = loop;
	list_init(&r->queries);
	list_init(&r->sockets);
	resolver_cache_init(&r->cache);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	/* Lets go of every query it holds; the ones left are waiting for their later-call. */
	ares_destroy(r->channel);
	LIST_FOREACH (&r->queries, node) {
		query_release(container_of(node, struct resolver_query, node));
	}
	assert(list_is_empty(&r->sockets));
	timer_cancel(&r->timer);
	resolver_cache_done(&r->cache);
	ares_library_cleanup();
	loop_free_later(r->loop, r);
}

int resolver_use_server(struct resolver *r, const struct addr *server, struct err *e)
{
	struct ares_addr_port_node node = {
		.family = server->any.sa_family,
		.udp_port = addr_port(server),
		.tcp_port = addr_port(server),
	};
	int status = ARES_SUCCESS;

	if (node.family == AF_INET6)
		memcpy(&node.addr.addr6, &server->ip6.sin6_addr, sizeof(node.addr.addr6));
	else
		node.addr.addr4 = server->ip4.sin_addr;
	status = ares_set_servers_ports(r->channel, &node);
	if (status != ARES_SUCCESS)
		return err_set(e, ERR_DNS, "cannot use this name server: %s",
			       ares_strerror(status));
	return 0;
}
