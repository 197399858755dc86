/*
 * server.c - the TCP server behind the proxies: one thread, one loop, carries out orders (common.h)
 *
 *	bench-server        prints the port it listens on, and serves until it is killed
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
	int listener;
	uint8_t buffer[BUFFER_SIZE];
};

enum progress { AGAIN, GOES_ON, ENDED };

static enum progress progress_of(ssize_t n)
{
	if (n > 0)
		return GOES_ON;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? AGAIN : ENDED;
}

static enum progress receive_order(struct connection *c)
{
	ssize_t n = recv(c->fd, c->order_bytes + c->order_len, ORDER_SIZE - c->order_len, 0);

	if (n > 0)
		c->order_len += (size_t)n;
	if (c->order_len == ORDER_SIZE)
		c->order = order_read(c->order_bytes);
	return progress_of(n);
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
		return receive_order(c);
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

static void on_ready(struct server *s, struct connection *c)
{
	enum progress progress;

	do {
		progress = serve(s, c);
	} while (progress == GOES_ON);
	if (progress == ENDED) {
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
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
					     .data.ptr = c };

		if (!c)
			die("out of memory");
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			die("epoll: %s", strerror(errno));
	}
}

int main(void)
{
	struct server *s = calloc(1, sizeof(*s));
	struct epoll_event events[EVENTS_MAX];
	uint16_t port = 0;

	if (!s)
		die("out of memory");
	raise_descriptor_limit();
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->listener = listen_loopback(&port);
	events[0] = (struct epoll_event){ .events = EPOLLIN };
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &events[0]) < 0)
		die("epoll: %s", strerror(errno));
	printf("%u\n", port);
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(s->epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				on_ready(s, events[i].data.ptr);
			else
				accept_all(s);
		}
	}
}
