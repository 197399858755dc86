#pragma once

/*
 * tls_engine.h - a TLS stream's state, and OpenSSL moved forward as far as the lower stream allows; private to tls/
 *
 * TLS crosses directions: a read may have to write (handshake, answer to a key update) and a write may have to
 * read. So each direction notes in *_waits which event of the lower stream it needs.
 */

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "io/loop.h"
#include "io/stream.h"
#include "tls/tls_config.h"
#include "tls/tls_wire.h"

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_CLOSED };

struct tls_stream {
	struct stream base;
	struct tls_wire wire;
	struct tls_config *config;
	SSL *ssl;
	char *name; /* of the server, for the client */
	struct later later;
	enum tls_state state;
	uint8_t read_waits; /* events of the lower stream, while the owner waits for STREAM_READABLE */
	uint8_t write_waits; /* the same for STREAM_WRITABLE */
	uint8_t progress; /* events of the lower stream that this operation made unnecessary to wait for */
	uint8_t later_events;
	uint8_t fills;  /* reads from the lower stream in this operation */
	bool is_paused; /* this operation gave up only for the sake of others */
	bool has_end;   /* close_notify was received */
	bool is_shut;   /* close_notify was produced */
	bool is_lower_shut;
	bool is_plain_http;
	bool is_output_late; /* tickets: they go with what the owner writes next */
};

/* What to do after OpenSSL or the lower stream could not go on. STEP_WAIT comes with the events to wait for. */
enum tls_step { STEP_RETRY, STEP_WAIT, STEP_END, STEP_FAILED };

extern const struct stream_ops tls_stream_ops;

/* For the lower stream; arg is the struct tls_stream. */
void tls_on_lower_event(void *arg, unsigned events);

static inline bool tls_has_urgent_output(const struct tls_stream *ts)
{
	return tls_wire_has_output(&ts->wire) && !ts->is_output_late;
}

void tls_set_state(struct tls_stream *ts, enum tls_state state);

/* Remembers why; sends the alert that OpenSSL may have produced, if it can be sent at once. */
enum tls_step tls_fail(struct tls_stream *ts, const struct err *e);

/* The lower stream failed. */
enum tls_step tls_fail_lower(struct tls_stream *ts);

/* Writes what OpenSSL produced; STEP_RETRY when all is gone. */
enum tls_step tls_push(struct tls_stream *ts, uint8_t *ret_waits);

/* Does what the failed call asks for: STEP_RETRY when the call is to be made again. */
enum tls_step tls_after_openssl(struct tls_stream *ts, int error, uint8_t *ret_waits);

/* Also finishes reading a later message of the protocol of which only a part has come: until then nothing can
 * be written. Returns 1, STREAM_AGAIN or STREAM_FAILED. */
int tls_handshake(struct tls_stream *ts, uint8_t *ret_waits);
