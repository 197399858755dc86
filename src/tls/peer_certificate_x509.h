#pragma once

/*
 * peer_certificate_x509.h - a peer's certificate as OpenSSL knows it; private to tls/
 */

#include <openssl/x509.h>

#include "base/err.h"
#include "base/str.h"
#include "tls/peer_certificate.h"

/* References leaf and chain (which may be NULL). */
int peer_certificate_new(X509 *leaf, STACK_OF(X509) * chain, struct peer_certificate **ret,
			 struct err *e);

/* Borrowed. The chain is what the peer sent behind the leaf. */
X509 *peer_certificate_leaf(const struct peer_certificate *certificate);
STACK_OF(X509) * peer_certificate_chain(const struct peer_certificate *certificate);

/* Differs if the leaf or anything in the chain differs. */
struct str peer_certificate_digest(const struct peer_certificate *certificate);

/* False if it is no time. */
bool tls_time_unix(const ASN1_TIME *time, int64_t *ret);
