#pragma once

/*
 * tls_pem.h - PEM texts to certificates and keys; private to tls/
 *
 * Never asks for a passphrase. Error texts begin with the origin of the text and show none of its contents.
 *
 * Limits     TLS_CHAIN_MAX certificates in a pair, TLS_ROOTS_MAX trusted ones.
 */

#include <openssl/x509.h>

#include "base/err.h"
#include "tls/tls_config.h"

#define TLS_CHAIN_MAX 32
#define TLS_ROOTS_MAX 4096

struct tls_pem_pair {
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf; may be empty */
	EVP_PKEY *key;
};

/* Succeeds only if the key belongs to the leaf. */
int tls_pem_pair_read(const struct tls_key_pair *pair, struct tls_pem_pair *ret, struct err *e);
void tls_pem_pair_done(struct tls_pem_pair *pair);

/* Its parts: leaf and chain, the key, and whether that belongs to the leaf. A pair half read is done with as well. */
int tls_pem_chain_read(struct str pem, const char *origin, struct tls_pem_pair *pair,
		       struct err *e);
int tls_pem_key_read(struct str pem, const char *origin, EVP_PKEY **ret, struct err *e);
int tls_pem_pair_check(const struct tls_pem_pair *pair, const char *origin, struct err *e);

/* Every certificate of the text, at least one: free it with sk_X509_pop_free(). */
int tls_pem_certificates_read(struct str pem, const char *origin, int max, STACK_OF(X509) * *ret,
			      struct err *e);

/* The same for revocation lists. */
int tls_pem_crls_read(struct str pem, const char *origin, int max, STACK_OF(X509_CRL) * *ret,
		      struct err *e);

/* Adds every certificate of the text; at least one must be there. */
int tls_pem_add_roots(struct str pem, const char *origin, X509_STORE *store, struct err *e);
