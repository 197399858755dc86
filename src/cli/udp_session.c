/*
 * The stream is part of the session; the tunnel closes it before it says that it is done, and nothing of it is used afterwards.
 * The queue holds capsules, ready to be read. Packets of one turn wake the tunnel once.
 */

#include "cli/udp_session.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/gateway.h"
#include "http/capsule.h"
#include "io/stream.h"

struct udp_session {
	struct list_node node;
	const struct udp_session_context *context;
	struct addr source;
	struct stream stream;
	struct local_tunnel *tunnel;
	struct capsule_reader reader;
	struct buf queue;
	struct later later;
	bool is_awaited; /* the tunnel has found the queue empty */
	bool is_shut;
	bool is_closed; /* the stream */
};

static struct loop *loop_of(const struct udp_session *s)
{
	return s->context->tunnels->gateway->loop;
}

static struct udp_session *from_stream(struct stream *s)
{
	return container_of(s, struct udp_session, stream);
}

/* ---- from the local program ---- */

static void on_later(struct later *later)
{
	struct udp_session *s = container_of(later, struct udp_session, later);

	if (s->stream.on_event)
		s->stream.on_event(s->stream.arg, STREAM_READABLE);
}

static void wake(struct udp_session *s)
{
	if (!s->is_awaited)
		return;
	s->is_awaited = false;
	later_start(&s->later, loop_of(s), on_later);
}

bool udp_session_send(struct udp_session *s, struct str packet)
{
	uint8_t header[CAPSULE_HEADER_MAX];
	size_t header_len;

	if (s->is_closed || packet.len > CAPSULE_PACKET_MAX ||
	    s->queue.len + sizeof(header) + packet.len > UDP_SESSION_QUEUE_MAX)
		return false;
	header_len = capsule_write_header(header, packet.len);
	(void)buf_append(&s->queue, header, header_len); /* fit */
	(void)buf_append_str(&s->queue, packet);
	wake(s);
	return true;
}

static ssize_t session_read(struct stream *stream, void *to, size_t len)
{
	struct udp_session *s = from_stream(stream);
	size_t count = s->queue.len < len ? s->queue.len : len;

	if (stream->err)
		return STREAM_FAILED;
	if (count == 0 && s->is_shut)
		return STREAM_END;
	if (count == 0) {
		s->is_awaited = true;
		return STREAM_AGAIN;
	}
	memcpy(to, s->queue.data, count);
	buf_consume(&s->queue, count);
	if (s->queue.len == 0)
		buf_done(&s->queue);
	return (ssize_t)count;
}

/* ---- from the gateway ---- */

static int pass_on(struct udp_session *s, struct str data)
{
	struct str packet;
	struct err e = { 0 };

	for (;;) {
		switch (capsule_read(&s->reader, &data, &packet, &e)) {
		case CAPSULE_MORE:
			return 0;
		case CAPSULE_PACKET:
			(void)udp_send(s->context->socket, packet, &s->source); /* or it is lost */
			s->context->on_active(s->context->arg, s);
			break;
		case CAPSULE_BROKEN:
			return stream_fail(&s->stream, &e);
		}
	}
}

static ssize_t session_write(struct stream *stream, const struct iovec *iov, int count)
{
	struct udp_session *s = from_stream(stream);
	ssize_t taken = 0;

	if (stream->err)
		return STREAM_FAILED;
	for (int i = 0; i < count; i++) {
		if (pass_on(s, str_of(iov[i].iov_base, iov[i].iov_len)) < 0)
			return STREAM_FAILED;
		taken += (ssize_t)iov[i].iov_len;
	}
	return taken;
}

/* The gateway has ended it: there is nobody to send to either. */
static int session_shutdown(struct stream *stream)
{
	struct udp_session *s = from_stream(stream);

	if (stream->err)
		return STREAM_FAILED;
	s->is_shut = true;
	wake(s);
	return STREAM_END;
}

static void session_close(struct stream *stream, enum stream_close how)
{
	struct udp_session *s = from_stream(stream);

	if (s->is_closed)
		return;
	s->is_closed = true;
	stream->on_event = NULL;
	later_cancel(&s->later);
	capsule_reader_done(&s->reader);
	buf_done(&s->queue);
	loop_free_later(loop_of(s), TAKE(stream->err));
}

static const struct stream_ops session_ops = {
	.read = session_read,
	.write = session_write,
	.shutdown = session_shutdown,
	.close = session_close,
};

/* ---- the tunnel ---- */

static void on_tunnel_done(void *arg, struct local_tunnel *t, enum exit_status status,
			   const struct err *e)
{
	struct udp_session *s = arg;

	s->tunnel = NULL;
	s->context->on_done(s->context->arg, s, e);
	loop_free_later(loop_of(s), s);
}

struct udp_session *udp_session_start(const struct udp_session_context *context,
				      const struct addr *source)
{
	struct udp_session *s = mem_alloc(sizeof(*s));

	*s = (struct udp_session){ .context = context,
				   .source = *source,
				   .stream = { .ops = &session_ops },
				   .queue = BUF_INIT(UDP_SESSION_QUEUE_MAX) };
	s->tunnel = local_tunnel_start(context->tunnels, &s->stream, on_tunnel_done, s);
	return s;
}

void udp_session_close(struct udp_session *s)
{
	if (!s->tunnel)
		return; /* from inside on_done: it goes anyway */
	local_tunnel_close(TAKE(s->tunnel));
	loop_free_later(loop_of(s), s);
}

const struct addr *udp_session_source(const struct udp_session *s)
{
	return &s->source;
}

struct list_node *udp_session_node(struct udp_session *s)
{
	return &s->node;
}

struct udp_session *udp_session_from_node(struct list_node *node)
{
	return container_of(node, struct udp_session, node);
}
