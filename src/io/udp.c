#include "io/udp.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/stream.h"

/* Errors of packets sent before come with a receive; there are never more of them than were sent. */
#define ERRORS_PER_RECEIVE 16

static void on_ready(struct watch *watch, unsigned events)
{
	struct udp_socket *s = container_of(watch, struct udp_socket, watch);

	if (s->on_readable)
		s->on_readable(s);
}

static int open_socket(int family, struct err *e)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = UDP_BUFFER_SIZE;

	if (fd < 0)
		return err_errno(e, errno, "opening a UDP socket");
	/* Without it bursts are lost sooner. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static int watch_socket(struct udp_socket *s, struct loop *loop, int fd, struct err *e)
{
	if (watch_open(&s->watch, loop, fd, on_ready, e) == 0)
		return 0;
	close(fd);
	s->watch.fd = -1;
	return -1;
}

static int fail(int fd, struct err *e, const char *doing, const struct addr *address)
{
	char text[ADDR_TEXT_MAX];
	int errnum = errno;

	addr_format(address, text);
	close(fd);
	return err_errno(e, errnum, "%s %s (UDP)", doing, text);
}

int udp_bind(struct udp_socket *s, struct loop *loop, const struct addr *address, struct err *e)
{
	int fd = open_socket(address->any.sa_family, e);
	int off = 0;

	if (fd < 0)
		return -1;
	/* ":port" is both families, as it is for TCP. */
	if (address->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &address->any, addr_len(address)) < 0)
		return fail(fd, e, "listening on", address);
	return watch_socket(s, loop, fd, e);
}

int udp_connect(struct udp_socket *s, struct loop *loop, const struct addr *peer, struct err *e)
{
	int fd = open_socket(peer->any.sa_family, e);

	if (fd < 0)
		return -1;
	if (connect(fd, &peer->any, addr_len(peer)) < 0)
		return fail(fd, e, "connecting to", peer);
	s->is_connected = true;
	return watch_socket(s, loop, fd, e);
}

void udp_close(struct udp_socket *s)
{
	int fd = s->watch.fd;

	if (!s->watch.loop || fd < 0)
		return;
	watch_close(&s->watch);
	close(fd);
	s->watch.fd = -1;
	s->on_readable = NULL;
}

void udp_address(const struct udp_socket *s, struct addr *ret)
{
	socklen_t len = sizeof(*ret);

	*ret = (struct addr){ 0 };
	(void)getsockname(s->watch.fd, &ret->any, &len); /* of a bound socket it does not fail */
}

ssize_t udp_receive(struct udp_socket *s, void *to, size_t len, struct addr *ret_from)
{
	for (int i = 0; i < ERRORS_PER_RECEIVE; i++) {
		struct addr from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t count = recvfrom(s->watch.fd, to, len, 0, &from.any, &from_len);

		if (count >= 0 && ret_from)
			*ret_from = from;
		if (count >= 0)
			return count;
		if (errno == EAGAIN)
			break;
	}
	watch_want(&s->watch, WATCH_READ);
	return STREAM_AGAIN;
}

static ssize_t send_once(struct udp_socket *s, struct str packet, const struct addr *to)
{
	if (s->is_connected)
		return send(s->watch.fd, packet.at, packet.len, MSG_NOSIGNAL);
	return sendto(s->watch.fd, packet.at, packet.len, MSG_NOSIGNAL, &to->any, addr_len(to));
}

bool udp_send(struct udp_socket *s, struct str packet, const struct addr *to)
{
	/* An error of an earlier packet is told here, and this one was not sent then. */
	for (int i = 0; i < 2; i++) {
		if (send_once(s, packet, to) >= 0)
			return true;
		if (errno == EAGAIN || errno == EMSGSIZE)
			return false;
	}
	return false;
}
