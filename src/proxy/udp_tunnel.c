/*
 * A read takes packets straight into the reader's memory, behind the room for the longest header, and moves them up to the one that
 * was needed. A reader with little memory gets a packet in pieces; only then it is kept here. A write keeps nothing but
 * the beginning of a packet whose end has not come. A packet costs the same however small it is, so that they are counted: of
 * three bytes each, tens of thousands are in one block, and everybody else would wait.
 */

#include "proxy/udp_tunnel.h"

#include <string.h>

#include "base/mem.h"
#include "http/capsule.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "io/stream.h"
#include "io/udp.h"

#define ROOM_FOR_ONE     (CAPSULE_HEADER_MAX + UDP_PACKET_MAX)
#define PACKETS_PER_READ 64
#define PACKETS_PER_TURN 256 /* written; full-sized ones fill a block of the relay */

struct udp_tunnel {
	struct stream stream;
	struct loop *loop;
	struct udp_socket socket;
	struct capsule_reader reader; /* of what is to be sent */
	struct buf left;              /* of a capsule that is read in pieces */
	struct later later;
	struct later next_turn;
	unsigned sent;    /* in this turn */
	bool awaits_turn; /* a write was held up */
	bool is_shut;
	bool is_closed;
};

static struct udp_tunnel *from_stream(struct stream *s)
{
	return container_of(s, struct udp_tunnel, stream);
}

/* ---- from the upstream ---- */

/* One packet as a capsule, if there is one; to has ROOM_FOR_ONE. */
static ssize_t receive_one(struct udp_tunnel *t, uint8_t *to)
{
	uint8_t header[CAPSULE_HEADER_MAX];
	ssize_t count = udp_receive(&t->socket, to + CAPSULE_HEADER_MAX, CAPSULE_PACKET_MAX, NULL);
	size_t header_len;

	if (count < 0)
		return count;
	header_len = capsule_write_header(header, (size_t)count);
	memmove(to + header_len, to + CAPSULE_HEADER_MAX, (size_t)count);
	memcpy(to, header, header_len);
	return (ssize_t)header_len + count;
}

static ssize_t receive_many(struct udp_tunnel *t, uint8_t *to, size_t len)
{
	size_t filled = 0;

	for (int i = 0; i < PACKETS_PER_READ && len - filled >= ROOM_FOR_ONE; i++) {
		ssize_t count = receive_one(t, to + filled);

		if (count < 0)
			break;
		filled += (size_t)count;
	}
	return filled > 0 ? (ssize_t)filled : STREAM_AGAIN;
}

static ssize_t take_left(struct udp_tunnel *t, uint8_t *to, size_t len)
{
	size_t count = t->left.len < len ? t->left.len : len;

	memcpy(to, t->left.data, count);
	buf_consume(&t->left, count);
	if (t->left.len == 0)
		buf_done(&t->left);
	return (ssize_t)count;
}

static ssize_t receive_in_pieces(struct udp_tunnel *t, uint8_t *to, size_t len)
{
	uint8_t *room;
	ssize_t count;

	t->left = BUF_INIT(ROOM_FOR_ONE);
	room = buf_reserve(&t->left, ROOM_FOR_ONE);
	count = receive_one(t, room);
	if (count < 0) {
		buf_done(&t->left);
		return STREAM_AGAIN;
	}
	buf_commit(&t->left, (size_t)count);
	return take_left(t, to, len);
}

static ssize_t udp_read(struct stream *s, void *to, size_t len)
{
	struct udp_tunnel *t = from_stream(s);

	if (s->err)
		return STREAM_FAILED;
	if (t->left.len > 0)
		return take_left(t, to, len);
	if (t->is_shut)
		return STREAM_END;
	return len >= ROOM_FOR_ONE ? receive_many(t, to, len) : receive_in_pieces(t, to, len);
}

static void on_readable(struct udp_socket *socket)
{
	struct udp_tunnel *t = container_of(socket, struct udp_tunnel, socket);

	if (t->stream.on_event)
		t->stream.on_event(t->stream.arg, STREAM_READABLE);
}

/* ---- to the upstream ---- */

static void on_next_turn(struct later *later)
{
	struct udp_tunnel *t = container_of(later, struct udp_tunnel, next_turn);
	bool was_awaited = t->awaits_turn;

	t->sent = 0;
	t->awaits_turn = false;
	if (was_awaited && t->stream.on_event)
		t->stream.on_event(t->stream.arg, STREAM_WRITABLE);
}

static void send_one(struct udp_tunnel *t, struct str packet)
{
	(void)udp_send(&t->socket, packet, NULL); /* lost, if it has to be */
	if (t->sent++ == 0)
		later_start(&t->next_turn, t->loop, on_next_turn);
}

/* What is left in data is for another turn. An empty packet may be due behind the last byte: that is sent in any case. */
static int send_some(struct udp_tunnel *t, struct str *data)
{
	struct str packet;
	struct err e = { 0 };

	while (t->sent < PACKETS_PER_TURN || data->len == 0) {
		switch (capsule_read(&t->reader, data, &packet, &e)) {
		case CAPSULE_MORE:
			return 0;
		case CAPSULE_PACKET:
			send_one(t, packet);
			break;
		case CAPSULE_BROKEN:
			return stream_fail(&t->stream, &e);
		}
	}
	return 0;
}

static ssize_t udp_write(struct stream *s, const struct iovec *iov, int count)
{
	struct udp_tunnel *t = from_stream(s);
	struct str left = { 0 };
	ssize_t taken = 0;

	if (s->err)
		return STREAM_FAILED;
	for (int i = 0; i < count && left.len == 0; i++) {
		left = str_of(iov[i].iov_base, iov[i].iov_len);
		if (send_some(t, &left) < 0)
			return STREAM_FAILED;
		taken += (ssize_t)(iov[i].iov_len - left.len);
	}
	if (taken > 0 || left.len == 0)
		return taken;
	t->awaits_turn = true;
	return STREAM_AGAIN;
}

/* ---- the end ---- */

static void on_later(struct later *later)
{
	struct udp_tunnel *t = container_of(later, struct udp_tunnel, later);

	if (t->stream.on_event)
		t->stream.on_event(t->stream.arg, STREAM_READABLE);
}

/* There is no half of a UDP exchange to be closed; who waits for packets is told that none will come. */
static int udp_shutdown(struct stream *s)
{
	struct udp_tunnel *t = from_stream(s);

	if (s->err)
		return STREAM_FAILED;
	if (!t->is_shut)
		later_start(&t->later, t->loop, on_later);
	t->is_shut = true;
	return STREAM_END;
}

static void udp_stream_close(struct stream *s, enum stream_close how)
{
	struct udp_tunnel *t = from_stream(s);

	if (t->is_closed)
		return;
	t->is_closed = true;
	s->on_event = NULL;
	later_cancel(&t->later);
	later_cancel(&t->next_turn);
	udp_close(&t->socket);
	capsule_reader_done(&t->reader);
	buf_done(&t->left);
	loop_free_later(t->loop, TAKE(s->err));
	loop_free_later(t->loop, t);
}

static const struct stream_ops udp_ops = {
	.read = udp_read,
	.write = udp_write,
	.shutdown = udp_shutdown,
	.close = udp_stream_close,
};

struct stream *udp_tunnel_open(struct loop *loop, const struct addr *peer, struct err *e)
{
	struct udp_tunnel *t = mem_alloc(sizeof(*t));

	t->stream.ops = &udp_ops;
	t->loop = loop;
	t->socket.on_readable = on_readable;
	if (udp_connect(&t->socket, loop, peer, e) < 0) {
		mem_free(t);
		return NULL;
	}
	return &t->stream;
}

/* ---- by name ---- */

struct udp_dial {
	struct loop *loop;
	struct resolver_query *query;
	struct timer deadline;
	uint16_t port;
	enum dial_family family;
	bool is_over;
	void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
			const struct err *e);
	void *arg;
};

static void release(struct udp_dial *d)
{
	d->is_over = true;
	resolver_query_cancel(TAKE(d->query));
	timer_cancel(&d->deadline);
	loop_free_later(d->loop, d);
}

/* Of those of one family, the first to which there is a way. */
static struct stream *open_family(struct udp_dial *d, const struct resolver_answer *answer,
				  int family, struct addr *ret_peer, struct err *e)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct addr peer = answer->addresses[i];
		struct stream *stream;

		if (peer.any.sa_family != family)
			continue;
		addr_set_port(&peer, d->port);
		stream = udp_tunnel_open(d->loop, &peer, e);
		if (stream) {
			*ret_peer = peer;
			return stream;
		}
	}
	return NULL;
}

static void on_resolved(void *arg, const struct resolver_answer *answer, const struct err *e)
{
	struct udp_dial *d = arg;
	bool prefers_ip6 = d->family == DIAL_IP6_ELSE;
	struct stream *stream = NULL;
	struct addr peer;
	struct err why;

	d->query = NULL;
	release(d);
	if (!answer) {
		d->on_done(d->arg, NULL, NULL, e);
		return;
	}
	(void)err_set(&why, ERR_UNREACHABLE, "there is no address to send to");
	stream = open_family(d, answer, prefers_ip6 ? AF_INET6 : AF_INET, &peer, &why);
	if (!stream)
		stream = open_family(d, answer, prefers_ip6 ? AF_INET : AF_INET6, &peer, &why);
	d->on_done(d->arg, stream, stream ? &peer : NULL, stream ? NULL : &why);
}

static void on_deadline(struct timer *timer)
{
	struct udp_dial *d = container_of(timer, struct udp_dial, deadline);
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT, "no answer from the name service in time");
	release(d);
	d->on_done(d->arg, NULL, NULL, &e);
}

struct udp_dial *udp_dial_start(struct loop *loop, struct resolver *resolver,
				const struct dial_target *target,
				void (*on_done)(void *arg, struct stream *stream,
						const struct addr *peer, const struct err *e),
				void *arg)
{
	struct udp_dial *d = mem_alloc(sizeof(*d));
	uint64_t timeout_ms = target->timeout_ms ? target->timeout_ms : DIAL_TIMEOUT_MS;

	*d = (struct udp_dial){
		.loop = loop,
		.port = target->port,
		.family = target->family,
		.on_done = on_done,
		.arg = arg,
	};
	d->query = resolver_query_start(resolver, target->host, dial_families(target->family),
					on_resolved, d);
	timer_start(&d->deadline, loop, loop_now_ms(loop) + timeout_ms, on_deadline);
	return d;
}

void udp_dial_cancel(struct udp_dial *d)
{
	/* From inside on_done there is nothing left to cancel. */
	if (d && !d->is_over)
		release(d);
}
