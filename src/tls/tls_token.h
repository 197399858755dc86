#pragma once

/*
 * tls_token.h - certificates and keys on PKCS#11 tokens; private to tls/
 *
 * OpenSSL's engine for PKCS#11 (Debian's libengine-pkcs11-openssl) is loaded when the first token is asked for, and goes
 * with the last key. A key stays on its token: what is read stands for it, and every signature is made there, on the
 * calling thread.
 */

#include "base/err.h"
#include "tls/tls_config.h"
#include "tls/tls_pem.h"

#define TLS_TOKEN_PIN_MIN 4
#define TLS_TOKEN_PIN_MAX 32 /* the engine's */

/* What the token does not name is read from the pair's PEM texts. */
int tls_token_pair_read(const struct tls_token *token, const struct tls_key_pair *pair,
			struct tls_pem_pair *ret, struct err *e);
