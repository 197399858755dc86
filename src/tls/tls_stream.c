#include "tls/tls_stream.h"

#include <assert.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "base/str.h"
#include "tls/tls_engine.h"

/*
 * Every operation has the same shape: finish the handshake, let OpenSSL work on the batches of tls_wire, then
 * op_end(): one write of what was produced, blocks given back, the other direction woken if this one did what it
 * waits for. tls_on_lower_event() turns events of the lower stream into those of the owner.
 *
 * Output that the lower stream did not take is flushed on its WRITABLE without the owner's help, and no further
 * plaintext is accepted before it is gone.
 */

#define RECORD_PLAINTEXT_MAX 16384
#define RECORD_MAX           SSL3_RT_MAX_PACKET_SIZE

static struct tls_stream *tls_stream_of(struct stream *s)
{
	return container_of(s, struct tls_stream, base);
}

/* ---- events ---- */

static void deliver(struct tls_stream *ts, unsigned events)
{
	if (!ts->read_waits)
		events &= ~(unsigned)STREAM_READABLE;
	if (!ts->write_waits)
		events &= ~(unsigned)STREAM_WRITABLE;
	if (events & STREAM_READABLE)
		ts->read_waits = 0;
	if (events & STREAM_WRITABLE)
		ts->write_waits = 0;
	if (events && ts->base.on_event)
		ts->base.on_event(ts->base.arg, events);
}

static void on_later(struct later *later)
{
	struct tls_stream *ts = container_of(later, struct tls_stream, later);
	unsigned events = ts->later_events;

	ts->later_events = 0;
	deliver(ts, events);
}

static void wake_later(struct tls_stream *ts, unsigned events)
{
	ts->later_events |= (uint8_t)events;
	later_start(&ts->later, ts->wire.loop, on_later);
}

/*
 * After close_notify nothing is read any more, so a peer that is gone for good would only show when something is
 * written. What it may still send is no TLS of ours and is dropped.
 */
static bool is_gone_after_end(struct tls_stream *ts)
{
	char dropped[256];

	if (!ts->has_end || ts->base.err)
		return false;
	return stream_read(ts->wire.lower, dropped, sizeof(dropped)) == STREAM_FAILED ||
	       stream_error(ts->wire.lower);
}

void tls_on_lower_event(void *arg, unsigned events)
{
	struct tls_stream *ts = arg;
	unsigned owner_events = 0;
	uint8_t waits = 0;

	if ((events & STREAM_READABLE) && is_gone_after_end(ts)) {
		(void)tls_fail_lower(ts); /* told by the event */
		if (ts->base.on_event)
			ts->base.on_event(ts->base.arg, STREAM_READABLE | STREAM_WRITABLE);
		return;
	}
	if ((events & STREAM_WRITABLE) && !ts->base.err && tls_has_urgent_output(ts)) {
		if (tls_push(ts, &waits) == STEP_WAIT)
			events &= ~(unsigned)STREAM_WRITABLE;
		tls_wire_settle(&ts->wire);
		ts->progress = 0;
	}
	if (ts->base.err)
		events = STREAM_READABLE | STREAM_WRITABLE;
	if (ts->read_waits & events)
		owner_events |= STREAM_READABLE;
	if (ts->write_waits & events)
		owner_events |= STREAM_WRITABLE;
	deliver(ts, owner_events);
}

static void op_begin(struct tls_stream *ts)
{
	assert(ts->state != TLS_CLOSED);
	ts->fills = 0;
	ts->is_paused = false;
	ts->progress = 0;
	if (ERR_peek_error()) /* almost never: much cheaper than clearing for nothing */
		ERR_clear_error();
}

/* own_event is the one that the owner would be told for this operation. */
static ssize_t op_end(struct tls_stream *ts, ssize_t result, unsigned own_event)
{
	bool is_read = own_event == STREAM_READABLE;
	unsigned other_event = is_read ? STREAM_WRITABLE : STREAM_READABLE;
	uint8_t other_waits = is_read ? ts->write_waits : ts->read_waits;
	uint8_t ignored;

	if (!ts->base.err && tls_has_urgent_output(ts) && !ts->wire.is_blocked)
		(void)tls_push(ts,
			       &ignored); /* a failure is in base.err, the rest goes on WRITABLE */
	tls_wire_settle(&ts->wire);
	if (ts->base.err || (other_waits & ts->progress))
		wake_later(ts, other_event);
	if (ts->is_paused)
		wake_later(ts, own_event);
	if (ts->base.err && result < 0)
		return STREAM_FAILED;
	return result;
}

int tls_stream_handshake(struct stream *s)
{
	struct tls_stream *ts = tls_stream_of(s);

	assert(s->ops == &tls_stream_ops);
	if (ts->base.err)
		return STREAM_FAILED;
	op_begin(ts);
	ts->read_waits = 0;
	return (int)op_end(ts, tls_handshake(ts, &ts->read_waits), STREAM_READABLE);
}

/*
 * OpenSSL gives its buffer back after each record and allocates it for the next. Among many that is of no use to anybody,
 * so it may only when the record is surely, or may be, the last that there is to do.
 */
static void keep_buffers(struct tls_stream *ts, bool keeps)
{
	if (keeps)
		(void)SSL_clear_mode(ts->ssl, SSL_MODE_RELEASE_BUFFERS);
	else
		(void)SSL_set_mode(ts->ssl, SSL_MODE_RELEASE_BUFFERS);
}

/* ---- read ---- */

/*
 * False if OpenSSL could only ask for input, which costs it a buffer. A read that gave less than was asked for has
 * used up its record, so after the first one only the batch matters.
 */
static bool has_input(const struct tls_stream *ts, bool is_first)
{
	return tls_wire_has_input(&ts->wire) || (is_first && SSL_has_pending(ts->ssl));
}

/* A record in hand is never held back for the sake of more: the lower stream is read only for the first byte. */
static ssize_t read_records(struct tls_stream *ts, uint8_t *to, size_t len)
{
	size_t total = 0;

	while (total < len) {
		size_t n = 0;
		enum tls_step step;
		int error = SSL_ERROR_WANT_READ;

		if (has_input(ts, total == 0)) {
			keep_buffers(ts, ts->wire.in.len - ts->wire.in.at > RECORD_MAX);
			if (SSL_read_ex(ts->ssl, to + total, len - total, &n) == 1) {
				total += n;
				continue;
			}
			error = SSL_get_error(ts->ssl, 0);
		}
		if (total > 0 && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE))
			break;
		step = tls_after_openssl(ts, error, &ts->read_waits);
		if (step == STEP_RETRY)
			continue;
		if (total > 0)
			break;
		if (step == STEP_END)
			return STREAM_END;
		return step == STEP_WAIT ? STREAM_AGAIN : STREAM_FAILED;
	}
	return (ssize_t)total;
}

static ssize_t tls_read(struct stream *s, void *to, size_t len)
{
	struct tls_stream *ts = tls_stream_of(s);
	ssize_t result;

	if (ts->has_end)
		return STREAM_END;
	if (ts->base.err)
		return STREAM_FAILED;
	op_begin(ts);
	ts->read_waits = 0;
	result = tls_handshake(ts, &ts->read_waits);
	if (result == 1)
		result = read_records(ts, to, len);
	return op_end(ts, result, STREAM_READABLE);
}

/* ---- write ---- */

struct cursor {
	const struct iovec *iov;
	int count;
	size_t at; /* in the first iovec */
};

static void cursor_advance(struct cursor *cursor, size_t len)
{
	cursor->at += len;
	while (cursor->count > 0 && cursor->at >= cursor->iov->iov_len) {
		cursor->at -= cursor->iov->iov_len;
		cursor->iov++;
		cursor->count--;
	}
}

/* The plaintext of the next record: in place if one iovec fills it, else gathered in scratch. */
static struct str next_piece(struct cursor from, uint8_t scratch[RECORD_PLAINTEXT_MAX])
{
	size_t len = 0;

	cursor_advance(&from, 0); /* over empty ones */
	while (from.count > 0 && len < RECORD_PLAINTEXT_MAX) {
		const uint8_t *at = (const uint8_t *)from.iov->iov_base + from.at;
		size_t part = from.iov->iov_len - from.at;

		if (part > RECORD_PLAINTEXT_MAX - len)
			part = RECORD_PLAINTEXT_MAX - len;
		if (len == 0 && (part == RECORD_PLAINTEXT_MAX || from.count == 1))
			return str_of(at, part);
		memcpy(scratch + len, at, part);
		len += part;
		cursor_advance(&from, part);
	}
	return str_of(scratch, len);
}

/* Surely: where that cannot be said, false is only slower. */
static bool has_another(const struct tls_stream *ts, struct cursor from, size_t piece_len)
{
	cursor_advance(&from, piece_len);
	return from.count > 0 && tls_wire_has_room(&ts->wire, piece_len + RECORD_MAX);
}

static ssize_t write_records(struct tls_stream *ts, struct cursor from)
{
	uint8_t scratch[RECORD_PLAINTEXT_MAX]
		__attribute__((uninitialized)); /* seldom used, and never read before */
	struct str piece = next_piece(from, scratch);
	size_t total = 0;

	while (piece.len > 0 && tls_wire_has_room(&ts->wire, piece.len)) {
		size_t n = 0;
		enum tls_step step;

		keep_buffers(ts, has_another(ts, from, piece.len));
		if (SSL_write_ex(ts->ssl, piece.at, piece.len, &n) == 1) {
			total += n;
			cursor_advance(&from, n);
			piece = next_piece(from, scratch);
			continue;
		}
		step = tls_after_openssl(ts, SSL_get_error(ts->ssl, 0), &ts->write_waits);
		if (step == STEP_RETRY)
			continue;
		if (total > 0)
			break;
		return step == STEP_WAIT ? STREAM_AGAIN : STREAM_FAILED;
	}
	return (ssize_t)total;
}

static ssize_t tls_write(struct stream *s, const struct iovec *iov, int count)
{
	struct tls_stream *ts = tls_stream_of(s);
	struct cursor from = { .iov = iov, .count = count };
	ssize_t result;

	assert(!ts->is_shut);
	if (ts->base.err)
		return STREAM_FAILED;
	op_begin(ts);
	ts->write_waits = 0;
	result = tls_handshake(ts, &ts->write_waits);
	if (result == 1 && tls_has_urgent_output(ts) &&
	    tls_push(ts, &ts->write_waits) != STEP_RETRY)
		result = STREAM_AGAIN; /* or failed, which op_end() sees */
	if (result == 1)
		result = write_records(ts, from);
	ts->is_output_late = false;
	return op_end(ts, result, STREAM_WRITABLE);
}

/* ---- shutdown and close ---- */

static int shut(struct tls_stream *ts)
{
	int result;

	ts->is_output_late = false;
	if (tls_wire_has_output(&ts->wire) && tls_push(ts, &ts->write_waits) != STEP_RETRY)
		return STREAM_AGAIN;
	if (!ts->is_shut) {
		ts->is_shut = true;
		(void)SSL_shutdown(ts->ssl); /* 0 or 1: there is room for an alert */
		if (tls_push(ts, &ts->write_waits) != STEP_RETRY)
			return STREAM_AGAIN;
	}
	ts->wire.is_deaf = true; /* OpenSSL would still answer a key update */
	result = stream_shutdown(ts->wire.lower);
	if (result == STREAM_AGAIN)
		ts->write_waits = STREAM_WRITABLE;
	if (result == STREAM_FAILED)
		tls_fail_lower(ts);
	ts->is_lower_shut = result == STREAM_END;
	return result;
}

static int tls_shutdown(struct stream *s)
{
	struct tls_stream *ts = tls_stream_of(s);
	int result;

	if (ts->base.err)
		return STREAM_FAILED;
	if (ts->is_lower_shut)
		return STREAM_END;
	op_begin(ts);
	ts->write_waits = 0;
	result = tls_handshake(ts, &ts->write_waits);
	if (result == 1)
		result = shut(ts);
	return (int)op_end(ts, result, STREAM_WRITABLE);
}

/* Orderly, as far as that is possible without waiting. */
static void say_goodbye(struct tls_stream *ts)
{
	if (ts->base.err || ts->state != TLS_OPEN || ts->is_lower_shut)
		return;
	if (tls_wire_flush(&ts->wire) != 1 || ts->is_shut || !SSL_is_init_finished(ts->ssl))
		return;
	(void)SSL_shutdown(ts->ssl);
	(void)tls_wire_flush(&ts->wire); /* best effort */
}

static void tls_close(struct stream *s, enum stream_close how)
{
	struct tls_stream *ts = tls_stream_of(s);
	struct loop *loop = ts->wire.loop;

	if (ts->state == TLS_CLOSED)
		return;
	ERR_clear_error();
	if (how == STREAM_CLOSE_NORMAL)
		say_goodbye(ts);
	tls_set_state(ts, TLS_CLOSED);
	later_cancel(&ts->later);
	/* A reset could overtake the answer to a peer that spoke plain HTTP. */
	stream_close(TAKE(ts->wire.lower), ts->is_plain_http ? STREAM_CLOSE_NORMAL : how);
	tls_wire_drop(&ts->wire);
	SSL_free(TAKE(ts->ssl));
	ERR_clear_error();
	tls_config_unref(TAKE(ts->config));
	mem_free(TAKE(ts->name));
	loop_free_later(loop, s->err);
	loop_free_later(loop, ts);
}

const struct stream_ops tls_stream_ops = {
	.read = tls_read,
	.write = tls_write,
	.shutdown = tls_shutdown,
	.close = tls_close,
};
