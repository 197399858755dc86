#pragma once

/*
 * tls_stream.h - a stream over a stream: TLS
 *
 * Moves data in large batches through an own BIO: one read of up to LOOP_BLOCK_SIZE from the lower stream, many records
 * decrypted into the reader's memory; many records encrypted into one block, one write onward. What does not fit is
 * kept in a piece of memory of just that size; an idle stream owns none.
 *
 * The handshake is driven by the first read or write. It fails like any other operation, with ERR_TLS and a
 * sentence (who refused what); a lower stream that ends without close_notify is ERR_RESET.
 *
 * Ownership  Takes the lower stream, references the config.
 */

#include <stdbool.h>

#include "base/str.h"
#include "io/stream.h"
#include "tls/tls_config.h"

struct loop;

/* server side */
struct stream *tls_stream_accept(struct loop *loop, struct stream *lower,
				 struct tls_config *config);

/* client side: name is sent as SNI and checked against the certificate (an IP literal is only checked). */
struct stream *tls_stream_connect(struct loop *loop, struct stream *lower,
				  struct tls_config *config, struct str name);

/* For who must know the facts before the first byte: 1 when the handshake is done, else STREAM_AGAIN (STREAM_READABLE
 * will tell when to call again) or STREAM_FAILED. Nobody else needs to call it. */
int tls_stream_handshake(struct stream *s);

/* Facts, valid once the handshake is done (any read or write has succeeded or said END). They live as long as
 * the stream. */
struct tls_facts {
	const char *version;     /* "TLSv1.3" */
	const char *alpn;        /* "" if none was agreed */
	const char *server_name; /* SNI sent by the client; "" if none */
	bool is_resumed;
};

/* False while the handshake is not done. s must be a TLS stream. */
bool tls_stream_facts(const struct stream *s, struct tls_facts *ret);

/* SNI as far as it is known, even if the handshake failed; "" if there is none. s must be a TLS stream. */
const char *tls_stream_server_name(const struct stream *s);
