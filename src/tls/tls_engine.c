#include "tls/tls_engine.h"

#include <assert.h>

#include <openssl/err.h>

#include "tls/tls_context.h"
#include "tls/tls_error.h"

/*
 * OpenSSL asks for input or room; pull and push give it one batch and report whether to call again, or which
 * event of the lower stream must come first. push reports what it did in `progress`, because the other direction
 * may have been waiting for just that.
 */

/* A peer who sends only what yields no data (key updates) must not keep the loop busy. */
#define FILLS_MAX 16

void tls_set_state(struct tls_stream *ts, enum tls_state state)
{
	assert(state > ts->state);
	ts->state = state;
}

/* ---- failure ---- */

enum tls_step tls_fail(struct tls_stream *ts, const struct err *e)
{
	stream_fail(&ts->base, e);
	if (!ts->wire.is_deaf)
		(void)tls_wire_flush(&ts->wire); /* best effort */
	ts->wire.is_deaf = true;
	return STEP_FAILED;
}

/* Somebody who connects to a server and says nothing has only looked whether it is there; load balancers
 * do that with a reset. */
static bool is_probe(const struct tls_stream *ts)
{
	return ts->state == TLS_HANDSHAKE && tls_config_is_server(ts->config) &&
	       BIO_number_read(SSL_get_rbio(ts->ssl)) == 0;
}

enum tls_step tls_fail_lower(struct tls_stream *ts)
{
	struct err e = *stream_error(ts->wire.lower);

	ts->wire.is_deaf = true;
	if (e.kind == ERR_RESET && is_probe(ts))
		e.kind = ERR_CLOSED;
	if (ts->state == TLS_HANDSHAKE)
		err_wrap(&e, "during the TLS handshake");
	return tls_fail(ts, &e);
}

static enum tls_step fail_cut(struct tls_stream *ts)
{
	struct err e = { 0 };

	if (is_probe(ts))
		err_set(&e, ERR_CLOSED, "the connection was closed before the TLS handshake");
	else
		err_set(&e, ERR_RESET,
			ts->state == TLS_HANDSHAKE
				? "the connection was closed during the TLS handshake"
				: "the connection was cut without TLS close_notify");
	return tls_fail(ts, &e);
}

/* One sentence in the language it speaks; best effort, and then nothing more in ours. */
static void answer_plain_http(struct tls_stream *ts)
{
	struct str reply = tls_config_plain_http_reply(ts->config);

	ts->wire.is_deaf = true;
	ts->is_plain_http = true;
	if (reply.len > 0 && stream_write(ts->wire.lower, reply.at, reply.len) > 0)
		(void)stream_shutdown(ts->wire.lower);
}

static enum tls_step fail_ssl(struct tls_stream *ts)
{
	struct err e = { 0 };

	if (tls_config_is_server(ts->config) && tls_err_is_plain_http())
		answer_plain_http(ts);
	tls_err_failure(&e, ts->ssl, str_from(ts->name), ts->state == TLS_HANDSHAKE);
	return tls_fail(ts, &e);
}

/* ---- between OpenSSL and the lower stream ---- */

enum tls_step tls_push(struct tls_stream *ts, uint8_t *ret_waits)
{
	int result = tls_wire_flush(&ts->wire);

	if (result == STREAM_FAILED)
		return tls_fail_lower(ts);
	if (result == STREAM_AGAIN) {
		*ret_waits = STREAM_WRITABLE;
		return STEP_WAIT;
	}
	ts->progress |= STREAM_WRITABLE;
	return STEP_RETRY;
}

static enum tls_step pull(struct tls_stream *ts, uint8_t *ret_waits)
{
	uint8_t ignored;
	ssize_t n;

	/* the peer may be waiting for these bytes before it sends what we need */
	if (tls_has_urgent_output(ts) && !ts->wire.is_blocked &&
	    tls_push(ts, &ignored) == STEP_FAILED)
		return STEP_FAILED;
	*ret_waits = STREAM_READABLE;
	if (ts->fills == FILLS_MAX) {
		ts->is_paused = true;
		return STEP_WAIT;
	}
	ts->fills++;
	n = tls_wire_fill(&ts->wire);
	if (n == STREAM_AGAIN)
		return STEP_WAIT;
	*ret_waits = 0;
	if (n == STREAM_FAILED)
		return tls_fail_lower(ts);
	if (n == STREAM_END)
		return fail_cut(ts);
	ts->progress |= STREAM_READABLE;
	return STEP_RETRY;
}

enum tls_step tls_after_openssl(struct tls_stream *ts, int error, uint8_t *ret_waits)
{
	switch (error) {
	case SSL_ERROR_WANT_READ:
		return pull(ts, ret_waits);
	case SSL_ERROR_WANT_WRITE:
		return tls_push(ts, ret_waits);
	case SSL_ERROR_ZERO_RETURN:
		ts->has_end = true;
		return STEP_END;
	default:
		return fail_ssl(ts);
	}
}

int tls_handshake(struct tls_stream *ts, uint8_t *ret_waits)
{
	while (!SSL_is_init_finished(ts->ssl)) {
		int result = SSL_do_handshake(ts->ssl);
		enum tls_step step;

		if (result == 1)
			break;
		step = tls_after_openssl(ts, SSL_get_error(ts->ssl, result), ret_waits);
		if (step == STEP_WAIT)
			return STREAM_AGAIN;
		if (step == STEP_END) {
			ts->has_end = false; /* in the middle of a message it is none */
			step = fail_cut(ts);
		}
		if (step == STEP_FAILED)
			return STREAM_FAILED;
	}
	if (ts->state == TLS_HANDSHAKE) {
		tls_set_state(ts, TLS_OPEN);
		/* the client has answered our whole flight, so only tickets are left */
		ts->is_output_late = tls_config_is_server(ts->config) &&
				     SSL_version(ts->ssl) == TLS1_3_VERSION;
		ts->progress |= STREAM_READABLE | STREAM_WRITABLE;
	}
	return 1;
}
