#pragma once

/*
 * tls_kept_sessions.h - sessions of a client that outlive its process; private to tls/
 *
 * A resumed session is as good as the verification it began with, so the key of a session covers everything that decided
 * about that: a session is found again only under the same name and the same settings.
 */

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/str.h"
#include "tls/tls_config.h"

#define TLS_KEPT_DIGEST_SIZE 32

struct tls_kept_sessions {
	struct tls_session_store store; /* put NULL: nothing is kept */
	uint8_t settings[TLS_KEPT_DIGEST_SIZE];
	bool is_possible;
};

/* Remembers what sessions are bound to. */
void tls_kept_sessions_bind(struct tls_kept_sessions *kept,
			    const struct tls_client_options *options);

void tls_kept_sessions_put(struct tls_kept_sessions *kept, const char *name, SSL_SESSION *session);

/* For the caller to free, or NULL. */
SSL_SESSION *tls_kept_sessions_take(struct tls_kept_sessions *kept, const char *name);
