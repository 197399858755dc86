#pragma once

/*
 * tls_sessions.h - the sessions a client may resume, one per server name; private to tls/
 *
 * A TLS 1.3 ticket is given out once (RFC 8446, C.4: else an observer could link connections).
 *
 * Threads    Any.
 * Limits     TLS_SESSIONS_MAX names; the one stored longest ago makes room.
 */

#include <pthread.h>

#include <openssl/ssl.h>

#include "base/str.h"

#define TLS_SESSIONS_MAX 16

struct tls_sessions {
	pthread_mutex_t lock;
	struct {
		char *name;
		SSL_SESSION *session;
	} slots[TLS_SESSIONS_MAX];
	size_t oldest;
};

void tls_sessions_init(struct tls_sessions *sessions);
void tls_sessions_done(struct tls_sessions *sessions);

/* Takes the session. */
void tls_sessions_put(struct tls_sessions *sessions, const char *name, SSL_SESSION *session);

/* A reference for the caller, or NULL. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions, const char *name);
