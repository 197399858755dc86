/*
 * server.c - the TCP server behind the proxies: carries out orders (common.h)
 *
 *	bench-server        prints the port it listens on, and serves until it is killed
 *
 * One thread accepts, reads the orders, and echoes. What moves bytes as fast as it can belongs to a second one: how long
 * an echo takes shall say something about the proxy, not about who else is served here.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/common.h"

#define EVENTS_MAX   256
#define BUFFER_SIZE  (256 * 1024)
#define ECHO_MAX     16384
#define TRICKLE_SIZE 1024
#define ROUNDS_MAX   64 /* then it is another connection's turn */

struct connection {
	int fd;
	uint8_t order_bytes[ORDER_SIZE];
	size_t order_len;
	struct order order;
	size_t echo_len; /* what could not be sent back yet */
	uint8_t echo[ECHO_MAX];
};

struct server {
	int epoll;
	int bulk_epoll;
	int listener;
	uint8_t buffer[BUFFER_SIZE];
};

enum progress { AGAIN, GOES_ON, ENDED, MOVED };

static enum progress progress_of(ssize_t n)
{
	if (n > 0)
		return GOES_ON;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? AGAIN : ENDED;
}

static void watch(int epoll, int operation, struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

	if (epoll_ctl(epoll, operation, c->fd, &event) < 0)
		die("epoll: %s", strerror(errno));
}

static enum progress receive_order(const struct server *s, struct connection *c)
{
	ssize_t n = recv(c->fd, c->order_bytes + c->order_len, ORDER_SIZE - c->order_len, 0);

	if (n > 0)
		c->order_len += (size_t)n;
	if (c->order_len < ORDER_SIZE)
		return progress_of(n);
	c->order = order_read(c->order_bytes);
	if (c->order.kind == ORDER_ECHO)
		return GOES_ON;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	watch(s->bulk_epoll, EPOLL_CTL_ADD, c); /* from here on it is the other thread's */
	return MOVED;
}

static enum progress serve_source(struct server *s, struct connection *c)
{
	size_t most = c->order.kind == ORDER_TRICKLE ? TRICKLE_SIZE : BUFFER_SIZE;
	size_t len = c->order.bytes < most ? (size_t)c->order.bytes : most;
	ssize_t n;

	if (len == 0)
		return ENDED;
	n = send(c->fd, s->buffer, len, MSG_NOSIGNAL);
	if (n > 0)
		c->order.bytes -= (uint64_t)n;
	return progress_of(n);
}

static enum progress serve_sink(struct server *s, struct connection *c)
{
	ssize_t n = recv(c->fd, s->buffer, BUFFER_SIZE, 0);

	if (n <= 0)
		return progress_of(n);
	c->order.bytes -= (uint64_t)n < c->order.bytes ? (uint64_t)n : c->order.bytes;
	if (c->order.bytes == 0 && send(c->fd, "!", 1, MSG_NOSIGNAL) != 1)
		return ENDED;
	return GOES_ON;
}

static enum progress serve_echo(struct connection *c)
{
	ssize_t n;

	if (c->echo_len == 0) {
		n = recv(c->fd, c->echo, ECHO_MAX, 0);
		if (n <= 0)
			return progress_of(n);
		c->echo_len = (size_t)n;
	}
	n = send(c->fd, c->echo, c->echo_len, MSG_NOSIGNAL);
	if (n > 0) {
		c->echo_len -= (size_t)n;
		memmove(c->echo, c->echo + n, c->echo_len);
	}
	return progress_of(n);
}

static enum progress serve(struct server *s, struct connection *c)
{
	if (c->order_len < ORDER_SIZE)
		return receive_order(s, c);
	switch (c->order.kind) {
	case ORDER_ECHO:
		return serve_echo(c);
	case ORDER_SOURCE:
	case ORDER_TRICKLE:
		return serve_source(s, c);
	case ORDER_SINK:
		return serve_sink(s, c);
	}
	return ENDED;
}

static void on_ready(struct server *s, int epoll, struct connection *c)
{
	enum progress progress = GOES_ON;

	for (int i = 0; i < ROUNDS_MAX && progress == GOES_ON; i++)
		progress = serve(s, c);
	if (progress == GOES_ON) {
		watch(epoll, EPOLL_CTL_MOD, c); /* and it is told again */
	} else if (progress == ENDED) {
		close(c->fd);
		free(c);
	}
}

static void accept_all(struct server *s)
{
	int one = 1;
	int fd;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));

		if (!c)
			die("out of memory");
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(s->epoll, EPOLL_CTL_ADD, c);
	}
}

static noreturn void serve_all(struct server *s, int epoll)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				on_ready(s, epoll, events[i].data.ptr);
			else
				accept_all(s);
		}
	}
}

static void *serve_bulk(void *arg)
{
	struct server *s = arg;

	serve_all(s, s->bulk_epoll);
}

int main(void)
{
	struct server *s = calloc(1, sizeof(*s));
	struct epoll_event event = { .events = EPOLLIN };
	pthread_t bulk;
	uint16_t port = 0;

	if (!s)
		die("out of memory");
	raise_descriptor_limit();
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->bulk_epoll = epoll_create1(EPOLL_CLOEXEC);
	s->listener = listen_loopback(&port);
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &event) < 0)
		die("epoll: %s", strerror(errno));
	if (pthread_create(&bulk, NULL, serve_bulk, s) != 0)
		die("no thread");
	printf("%u\n", port);
	fflush(stdout);
	serve_all(s, s->epoll);
}
