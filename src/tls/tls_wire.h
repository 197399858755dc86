#pragma once

/*
 * tls_wire.h - the encrypted side of a TLS stream: batches between OpenSSL and the lower stream; private to tls/
 *
 * Ownership  Owns the lower stream. Holds a block of the loop only between the calls of one operation: end it with
 *            tls_wire_settle().
 * Limits     One block of bytes in each direction.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/bio.h>

#include "io/stream.h"

struct loop;

struct tls_batch {
	uint8_t *data; /* a block of the loop, or memory of just the size needed */
	size_t at;     /* first byte not yet consumed */
	size_t len;
	bool is_block;
};

struct tls_wire {
	struct loop *loop;
	struct stream *lower;
	struct tls_batch in;
	struct tls_batch out;
	bool is_deaf; /* bytes from OpenSSL are dropped: the lower stream was shut down or failed */
	bool is_blocked; /* the lower stream said AGAIN to a write and no event has come since */
};

/* One per config. The BIO's data is a struct tls_wire. */
BIO_METHOD *tls_wire_bio_method_new(void);

/* Reads one batch; to be called when the last one is used up. Results as of stream_read(). */
ssize_t tls_wire_fill(struct tls_wire *wire);

/* Writes what is there: 1 when all is gone, else STREAM_AGAIN or STREAM_FAILED. */
int tls_wire_flush(struct tls_wire *wire);

/* True if that many plaintext bytes surely fit as one record. */
bool tls_wire_has_room(const struct tls_wire *wire, size_t plaintext_len);

static inline bool tls_wire_has_input(const struct tls_wire *wire)
{
	return wire->in.len > wire->in.at;
}

static inline bool tls_wire_has_output(const struct tls_wire *wire)
{
	return wire->out.len > wire->out.at;
}

/* Gives blocks back, keeping what is left in memory of just that size. */
void tls_wire_settle(struct tls_wire *wire);

/* Releases both batches. */
void tls_wire_drop(struct tls_wire *wire);
