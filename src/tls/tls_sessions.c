#include "tls/tls_sessions.h"

#include <string.h>

#include "base/mem.h"

/*
 * A few slots searched from the front: a client talks to one or two gateways.
 */

void tls_sessions_init(struct tls_sessions *sessions)
{
	*sessions = (struct tls_sessions){ 0 };
	pthread_mutex_init(&sessions->lock, NULL);
}

void tls_sessions_done(struct tls_sessions *sessions)
{
	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
		mem_free(sessions->slots[i].name);
		SSL_SESSION_free(sessions->slots[i].session);
	}
	pthread_mutex_destroy(&sessions->lock);
}

/* The slot of that name, or TLS_SESSIONS_MAX. */
static size_t find(const struct tls_sessions *sessions, const char *name)
{
	size_t i = 0;

	while (i < TLS_SESSIONS_MAX &&
	       !(sessions->slots[i].name && strcmp(sessions->slots[i].name, name) == 0))
		i++;
	return i;
}

void tls_sessions_put(struct tls_sessions *sessions, const char *name, SSL_SESSION *session)
{
	SSL_SESSION *replaced;
	size_t at;

	pthread_mutex_lock(&sessions->lock);
	at = find(sessions, name);
	if (at == TLS_SESSIONS_MAX) {
		at = sessions->oldest;
		sessions->oldest = (at + 1) % TLS_SESSIONS_MAX;
		mem_free(sessions->slots[at].name);
		sessions->slots[at].name = mem_copy_string(name);
	}
	replaced = sessions->slots[at].session;
	sessions->slots[at].session = session;
	pthread_mutex_unlock(&sessions->lock);
	SSL_SESSION_free(replaced);
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions, const char *name)
{
	SSL_SESSION *session = NULL;
	size_t at;

	pthread_mutex_lock(&sessions->lock);
	at = find(sessions, name);
	if (at < TLS_SESSIONS_MAX)
		session = sessions->slots[at].session;
	if (session && SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
		sessions->slots[at].session = NULL;
	else if (session)
		SSL_SESSION_up_ref(session);
	pthread_mutex_unlock(&sessions->lock);
	return session;
}
