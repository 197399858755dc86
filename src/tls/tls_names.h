#pragma once

/*
 * tls_names.h - the names a certificate is for; private to tls/
 *
 * Limits     TLS_NAMES_MAX names; further ones are ignored. A name with a byte that is not printable ASCII is
 *            ignored: it can match nothing.
 */

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/str.h"

#define TLS_NAMES_MAX 1024

struct tls_names {
	char **items;
	size_t count;
};

/* DNS names of the subjectAltName extension in lower case, with_addresses: its IP addresses too; without any
 * the common name. */
void tls_names_of(const X509 *certificate, bool with_addresses, struct tls_names *ret);
void tls_names_done(struct tls_names *names);
