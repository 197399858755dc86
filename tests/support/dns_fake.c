/*
 * One question, one answer (RFC 1035 section 4): the question is sent back with the addresses behind it.
 */

#include "tests/support/dns_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"

#define MESSAGE_MAX 4096
#define HEADER_LEN  12

enum { TYPE_A = 1, TYPE_AAAA = 28 };

struct dns_fake {
	struct loop *loop;
	const struct dns_fake_name *names;
	struct listener *listener;
	struct watch udp;
	struct addr address;
	struct stream *tcp;
	struct buf incoming;
	unsigned questions;
};

struct question {
	char name[256];
	size_t end; /* where the question section ends */
	unsigned type;
};

static void append_number(struct buf *to, uint32_t value, int bytes)
{
	while (bytes-- > 0)
		(void)buf_append_char(to, (char)(uint8_t)(value >> (8 * bytes)));
}

static void parse_question(const uint8_t *message, size_t len, struct question *q)
{
	size_t at = HEADER_LEN;
	size_t out = 0;

	assert_true(len > HEADER_LEN + 5);
	while (message[at] != 0) {
		size_t label = message[at];

		assert_true(at + 1 + label + 5 <= len && out + label + 1 < sizeof(q->name));
		if (out > 0)
			q->name[out++] = '.';
		memcpy(q->name + out, message + at + 1, label);
		out += label;
		at += 1 + label;
	}
	q->name[out] = '\0';
	q->type = (unsigned)message[at + 1] << 8 | message[at + 2];
	q->end = at + 5;
}

static const struct dns_fake_name *find_name(const struct dns_fake *dns, const char *name)
{
	for (const struct dns_fake_name *n = dns->names; n->name; n++) {
		if (strcmp(n->name, name) == 0)
			return n;
	}
	return NULL;
}

static unsigned append_addresses(struct buf *to, const struct dns_fake_name *n, unsigned type)
{
	int family = type == TYPE_A ? AF_INET : AF_INET6;
	unsigned count = 0;

	for (int i = 0; n->addresses[i]; i++) {
		struct addr address = { 0 };

		assert_true(addr_from_ip(str_from(n->addresses[i]), 0, &address));
		if (address.any.sa_family != family)
			continue;
		append_number(to, 0xc000 + HEADER_LEN, 2);
		append_number(to, type, 2);
		append_number(to, 1, 2);
		append_number(to, n->ttl_s, 4);
		append_number(to, family == AF_INET ? 4 : 16, 2);
		if (family == AF_INET)
			(void)buf_append(to, &address.ip4.sin_addr, 4);
		else
			(void)buf_append(to, &address.ip6.sin6_addr, 16);
		count++;
	}
	return count;
}

/* False: no answer at all. */
static bool answer(struct dns_fake *dns, const uint8_t *message, size_t len, bool is_udp,
		   struct buf *out)
{
	struct question q;
	const struct dns_fake_name *n = NULL;
	bool is_truncated = false;
	unsigned count = 0;

	parse_question(message, len, &q);
	dns->questions++;
	n = find_name(dns, q.name);
	if (n && n->is_silent)
		return false;
	is_truncated = n && n->is_truncated && is_udp;
	(void)buf_append(out, message, 2);
	append_number(out, 0x8180u | (is_truncated ? 0x0200 : 0) | (n ? 0 : 3), 2);
	append_number(out, 1, 2);
	append_number(out, 0, 4);
	append_number(out, 0, 2);
	(void)buf_append(out, message + HEADER_LEN, q.end - HEADER_LEN);
	if (n && !is_truncated)
		count = append_addresses(out, n, q.type);
	out->data[7] = (uint8_t)count;
	return true;
}

static void on_udp(struct watch *watch, unsigned events)
{
	struct dns_fake *dns = container_of(watch, struct dns_fake, udp);
	uint8_t message[MESSAGE_MAX];
	struct addr peer = { 0 };
	socklen_t peer_len = sizeof(peer);
	ssize_t len = 0;

	while ((len = recvfrom(watch->fd, message, sizeof(message), 0, &peer.any, &peer_len)) > 0) {
		struct buf out = BUF_INIT(MESSAGE_MAX);

		if (answer(dns, message, (size_t)len, true, &out))
			assert_true(sendto(watch->fd, out.data, out.len, 0, &peer.any, peer_len) >
				    0);
		buf_done(&out);
		peer_len = sizeof(peer);
	}
	watch_want(watch, WATCH_READ);
}

static void answer_tcp(struct dns_fake *dns, size_t len)
{
	struct buf out = BUF_INIT(MESSAGE_MAX);
	uint8_t prefix[2];

	if (answer(dns, dns->incoming.data + 2, len, false, &out)) {
		prefix[0] = (uint8_t)(out.len >> 8);
		prefix[1] = (uint8_t)out.len;
		/* In two pieces, as a server may. */
		assert_int_equal(stream_write(dns->tcp, prefix, 2), 2);
		assert_int_equal(stream_write(dns->tcp, out.data, out.len), out.len);
	}
	buf_done(&out);
	buf_consume(&dns->incoming, len + 2);
}

static void on_tcp(void *arg, unsigned events)
{
	struct dns_fake *dns = arg;
	uint8_t piece[512];
	ssize_t count = 0;

	while ((count = stream_read(dns->tcp, piece, sizeof(piece))) > 0)
		(void)buf_append(&dns->incoming, piece, (size_t)count);
	while (dns->incoming.len > 2) {
		size_t len = (size_t)dns->incoming.data[0] << 8 | dns->incoming.data[1];

		if (dns->incoming.len < len + 2)
			break;
		answer_tcp(dns, len);
	}
	if (count != STREAM_AGAIN)
		stream_close(TAKE(dns->tcp), STREAM_CLOSE_NORMAL);
}

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	struct dns_fake *dns = arg;

	stream_close(dns->tcp, STREAM_CLOSE_NORMAL);
	dns->tcp = stream;
	buf_done(&dns->incoming);
	stream_set_owner(stream, on_tcp, dns);
	on_tcp(dns, STREAM_READABLE);
}

struct dns_fake *dns_fake_open(struct loop *loop, const struct dns_fake_name *names)
{
	static const struct listener_events listener_events = { .on_accept = on_accept };
	struct dns_fake *dns = mem_alloc(sizeof(*dns));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	dns->loop = loop;
	dns->names = names;
	buf_init(&dns->incoming, MESSAGE_MAX);
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &dns->address));
	dns->listener = listener_open(loop, &dns->address, false, &listener_events, dns, NULL);
	assert_non_null(dns->listener);
	listener_address(dns->listener, &dns->address);
	assert_int_equal(bind(fd, &dns->address.any, addr_len(&dns->address)), 0);
	assert_int_equal(watch_open(&dns->udp, loop, fd, on_udp, NULL), 0);
	watch_want(&dns->udp, WATCH_READ);
	return dns;
}

void dns_fake_address(const struct dns_fake *dns, struct addr *ret)
{
	*ret = dns->address;
}

unsigned dns_fake_questions(const struct dns_fake *dns)
{
	return dns->questions;
}

void dns_fake_close(struct dns_fake *dns)
{
	int fd = dns->udp.fd;

	watch_close(&dns->udp);
	close(fd);
	stream_close(dns->tcp, STREAM_CLOSE_NORMAL);
	listener_close(dns->listener);
	buf_done(&dns->incoming);
	loop_free_later(dns->loop, dns);
}
