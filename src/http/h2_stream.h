#pragma once

/*
 * h2_stream.h - one stream of an HTTP/2 connection as a struct stream (io/stream.h); for h2_*.c only
 *
 * END_STREAM is the end of a direction, RST_STREAM a reset. Not reading gives no window back; writing takes at most
 * H2_OUT_MAX bytes ahead of what the peer's window admits. While the head of a message is awaited, its receiver (message)
 * is told what happens; afterwards the owner of the stream. An idle one owns no buffer.
 *
 * Ownership  Made by a role, belongs to it until it hands the struct stream out.
 */

#include "http/h2_head.h"
#include "http/h2_session.h"

#define H2_OUT_MAX (64u * 1024)

/* The message being received, part of a request of the server or a question of the client. */
struct h2_message {
	struct h2_head head;
	bool has_head;
	/* The head is complete, data has come, it has ended or failed. From the loop. */
	void (*on_change)(struct h2_message *m, struct h2_stream *st);
};

/* Of a reader that leaves nothing: so much since then. */
struct h2_pace {
	uint32_t taken;
	uint64_t since_ms;
};

struct h2_stream {
	struct stream stream;
	struct h2_session *session;
	struct list_node in_session;
	struct list_node in_due;
	struct h2_message *message; /* NULL: the owner of the stream is told */
	struct buf in;
	struct buf out;
	uint32_t out_at;
	uint32_t lent_len; /* received, read after in (h2_lent.h) */
	int32_t id;
	uint32_t window;
	struct h2_pace pace;
	uint64_t answer_ms; /* of an orphan: when it last made progress */
	unsigned short wanted;
	unsigned short events;
	bool is_live : 1;        /* nghttp2 knows it */
	bool has_source : 1;     /* nghttp2 asks for bytes */
	bool is_source_done : 1; /* as soon as the frame that it got is sent, it asks no more */
	bool is_deferred : 1;    /* it waits for bytes */
	bool is_shut : 1;        /* there will be no more to send */
	bool is_shut_sent : 1;
	bool has_end : 1;   /* END_STREAM has come */
	bool is_orphan : 1; /* nobody reads it: it goes when what is left has been sent */
	bool is_failed : 1;
	bool was_refused : 1; /* the peer has not looked at it: it may be tried elsewhere */
};

/* id 0: not known yet. */
struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id, struct h2_message *message);

struct h2_stream *h2_stream_from(struct stream *stream);

/* Gives the stream to an owner who will be told from now on. */
struct stream *h2_stream_hand_over(struct h2_stream *st);

/* Nobody here cares any longer: what was written and its end are sent, the rest is dropped. */
void h2_stream_abandon(struct h2_stream *st);

/* Gone at once. code: what the peer is told, if it can be. */
void h2_stream_reset(struct h2_stream *st, uint32_t code);

/* The source of data for nghttp2: the stream that is the user data of its stream. To be named with its head. */
nghttp2_data_provider h2_stream_provider(struct h2_stream *st);

/* ---- for h2_callbacks.c and h2_session.c ---- */

void h2_stream_receive(struct h2_stream *st, const uint8_t *data, size_t len);
void h2_stream_keep(struct h2_stream *st, const uint8_t *data, size_t len);
/* The next len bytes of what was written; those that the provider has announced. */
void h2_stream_send(struct h2_stream *st, struct h2_batch *to, size_t len);
/* A frame of data has gone. */
void h2_stream_sent(struct h2_stream *st);
void h2_stream_note(struct h2_stream *st, unsigned events);
void h2_stream_fail(struct h2_stream *st, const struct err *e);
void h2_stream_closed(struct h2_stream *st, uint32_t code);
void h2_stream_tell(struct h2_stream *st);
