#pragma once

/*
 * tls_tickets.h - the keys that seal the session tickets of a server; private to tls/
 *
 * Keys follow from a secret and the time, a new set for each period: whoever has the secret opens the tickets of all
 * others, and nobody has to be told of a change.
 *
 * Threads    Any; one short lock per ticket.
 * Limits     A ticket is good for TLS_TICKET_PERIOD_S; with new ones a session goes on for TLS_TICKET_RESUMED_S, and
 *            then a full handshake is due. A session with a client's certificate is never resumed.
 */

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"

#define TLS_TICKET_PERIOD_S    (12 * 3600)
#define TLS_TICKET_RESUMED_S   (7 * 86400) /* since the handshake that showed the certificate */
#define TLS_TICKET_SECRET_SIZE 32

struct tls_tickets;

/* secret, of TLS_TICKET_SECRET_SIZE bytes, is copied; empty: one is made up. */
int tls_tickets_new(struct str secret, struct tls_tickets **ret, struct err *e);
void tls_tickets_free(struct tls_tickets *tickets); /* NULL is ignored */

/* Takes over what earlier has made up, before anybody uses the later ones. */
void tls_tickets_succeed(struct tls_tickets *later, const struct tls_tickets *earlier);

/* The context must not outlive the tickets. Its app data belongs to them from now on. */
int tls_tickets_apply(struct tls_tickets *tickets, SSL_CTX *context, struct err *e);
