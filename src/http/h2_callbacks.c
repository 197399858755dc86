/*
 * h2_callbacks.c - what nghttp2 reports, noted in streams and accounts; nobody is told from here
 */

#include "http/h2_session.h"

#include <assert.h>
#include <string.h>

#include "http/h2_stream.h"

#define FRAME_HEADER_LEN 9
#define FRAME_MIN        1024 /* no smaller one to fill a batch */

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
	return id == 0 ? NULL : nghttp2_session_get_stream_user_data(ng, id);
}

/* The failure that h2_session.c answers with ENHANCE_YOUR_CALM. */
static int refuse_to_go_on(struct h2_session *s, const char *what, unsigned max)
{
	(void)err_set(&s->why, ERR_LIMIT, "HTTP/2: more %s than allowed (%u)", what, max);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int spend(struct h2_session *s, enum h2_budget budget)
{
	if (h2_budget_spend(&s->budgets, budget, loop_now_ms(s->loop)))
		return 0;
	return refuse_to_go_on(s, h2_budget_name(budget), h2_budget_burst(budget));
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user_data)
{
	struct h2_session *s = user_data;

	switch (hd->type) {
	case NGHTTP2_HEADERS:
		s->block_seen = 0;
		return 0;
	case NGHTTP2_DATA:
	case NGHTTP2_CONTINUATION:
	case NGHTTP2_RST_STREAM: /* it depends on the stream: see below */
	case NGHTTP2_GOAWAY:
		return 0;
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
		return hd->flags & NGHTTP2_FLAG_ACK ? 0 : spend(s, H2_BUDGET_PINGS);
	case NGHTTP2_WINDOW_UPDATE:
		return spend(s, H2_BUDGET_WINDOWS);
	default:
		return spend(s, H2_BUDGET_CONTROL);
	}
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
	struct h2_session *s = user_data;
	int32_t id = frame->hd.stream_id;
	struct h2_stream *st;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	st = s->state == H2_RUNNING ? s->role->begin(s, id) : NULL;
	if (st)
		return nghttp2_session_set_stream_user_data(ng, id, st);
	return nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
}

static struct h2_head *head_wanted(nghttp2_session *ng, const nghttp2_frame *frame)
{
	struct h2_stream *st = stream_of(ng, frame->hd.stream_id);

	return st && st->message && !st->message->has_head ? &st->message->head : NULL;
}

static struct str view_of(nghttp2_rcbuf *buf)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(buf);

	return str_of(v.base, v.len);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	struct h2_session *s = user_data;
	struct h2_head *head = head_wanted(ng, frame);

	/* Compressed it can be a thousandth of that. */
	s->block_seen += view_of(name).len + view_of(value).len + 32;
	if (s->block_seen > H2_BLOCK_MAX)
		return refuse_to_go_on(s, "bytes in one header block", H2_BLOCK_MAX);
	if (head)
		h2_head_add(head, view_of(name), view_of(value));
	return 0;
}

/* RFC 9113 section 8.2.1. Left out it could mean something else. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
			     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	struct h2_head *head = head_wanted(ng, frame);

	if (head)
		head->is_bad = true;
	return 0;
}

static void receive_end(struct h2_stream *st)
{
	st->has_end = true;
	h2_stream_note(st, STREAM_READABLE);
}

static void receive_headers(struct h2_stream *st)
{
	if (!st->message || st->message->has_head)
		return; /* trailers */
	st->message->has_head = true;
	h2_stream_note(st, STREAM_READABLE);
}

static int receive_reset(struct h2_session *s, const struct h2_stream *st)
{
	return spend(s, st && st->message ? H2_BUDGET_RESETS : H2_BUDGET_CONTROL);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
	struct h2_session *s = user_data;
	struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
	bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (st)
			receive_headers(st);
		break;
	case NGHTTP2_DATA:
		if (frame->hd.length == frame->data.padlen && !is_end && spend(s, H2_BUDGET_EMPTY))
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		break;
	case NGHTTP2_RST_STREAM:
		return receive_reset(s, st);
	case NGHTTP2_GOAWAY:
		s->peer_is_going = true;
		return 0;
	default:
		return 0;
	}
	if (st && is_end)
		receive_end(st);
	return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
		   void *user_data)
{
	struct h2_stream *st = stream_of(ng, id);

	(void)nghttp2_session_consume_connection(ng, len); /* memory only */
	if (st)
		h2_stream_receive(st, data, len);
	else
		(void)nghttp2_session_consume_stream(ng, id, len); /* it may be gone */
	return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user_data)
{
	struct h2_stream *st = stream_of(ng, id);

	if (st)
		h2_stream_closed(st, code);
	return 0;
}

/* A broken frame that costs the peer one stream and not the connection. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code,
			    void *user_data)
{
	return spend(user_data, H2_BUDGET_RESETS);
}

/* An answer that is complete before its request: nobody wants the rest (RFC 9113 section 8.1). */
static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
	struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
	bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;

	if (st && frame->hd.type == NGHTTP2_DATA)
		h2_stream_sent(st);
	if (!st || !may_end || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	st->is_shut_sent = true;
	if (!st->is_orphan || st->has_end)
		return 0;
	return nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					 NGHTTP2_NO_ERROR);
}

static ssize_t smaller(ssize_t a, ssize_t b)
{
	return a < b ? a : b;
}

/* As large as the peer takes it, and whole records of TLS with its header; the last one of a batch fills that. */
static ssize_t frame_len(nghttp2_session *ng, uint8_t type, int32_t id, int32_t session_window,
			 int32_t stream_window, uint32_t peer_max, void *user_data)
{
	const struct h2_session *s = user_data;
	ssize_t room = s->transit.batch
			       ? (ssize_t)h2_batch_room(s->transit.batch) - FRAME_HEADER_LEN
			       : 0;
	ssize_t max = H2_FRAME_MAX - FRAME_HEADER_LEN;

	if (room >= FRAME_MIN && room < max)
		max = room;
	return smaller(smaller(max, peer_max), smaller(session_window, stream_window));
}

/* Header and bytes of a frame of data, right to where they are collected. */
static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header,
			size_t len, nghttp2_data_source *source, void *user_data)
{
	struct h2_session *s = user_data;
	struct h2_stream *st = stream_of(ng, frame->hd.stream_id);

	if (!st) /* reset by us meanwhile */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (FRAME_HEADER_LEN + len > h2_batch_room(s->transit.batch))
		return NGHTTP2_ERR_WOULDBLOCK;
	h2_batch_copy(s->transit.batch, header, FRAME_HEADER_LEN);
	h2_stream_send(st, s->transit.batch, len);
	return 0;
}

/* A request of ours that cannot be sent any more: nghttp2 has no stream for it that it could close. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int code,
			     void *user_data)
{
	struct h2_session *s = user_data;

	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	LIST_FOREACH (&s->streams, node) {
		struct h2_stream *st = container_of(node, struct h2_stream, in_session);

		if (st->id == frame->hd.stream_id) {
			h2_stream_closed(st, NGHTTP2_REFUSED_STREAM);
			break;
		}
	}
	return 0;
}

static nghttp2_session_callbacks *new_callbacks(void)
{
	nghttp2_session_callbacks *c = NULL;

	if (nghttp2_session_callbacks_new(&c))
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
	nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
	nghttp2_session_callbacks_set_data_source_read_length_callback(c, frame_len);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
	return c;
}

/* nghttp2 fails here for want of memory only. */
nghttp2_session *h2_callbacks_new_session(struct h2_session *s, bool is_server)
{
	nghttp2_session_callbacks *callbacks = new_callbacks();
	nghttp2_session *ng = NULL;
	nghttp2_option *option = NULL;
	int result = nghttp2_option_new(&option);

	assert(callbacks && result == 0);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_peer_max_concurrent_streams(option, H2_STREAMS_MAX);
	result = is_server ? nghttp2_session_server_new2(&ng, callbacks, s, option)
			   : nghttp2_session_client_new2(&ng, callbacks, s, option);
	assert(result == 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return ng;
}
