#pragma once

/*
 * tls_context.h - what tls_stream needs of a tls_config; private to tls/
 */

#include <openssl/ssl.h>

#include "tls/tls_config.h"
#include "tls/tls_sessions.h"

/* A connection of the kind the config is for, with a BIO of tls_wire; NULL if OpenSSL cannot. */
SSL *tls_config_new_ssl(struct tls_config *config);

/* The agreed protocol as one of the config's own strings, "" if there is none. */
const char *tls_config_alpn_of(const struct tls_config *config, const SSL *ssl);

bool tls_config_verifies(const struct tls_config *config);
bool tls_config_is_server(const struct tls_config *config);
struct str tls_config_plain_http_reply(const struct tls_config *config);

/* A session that the client may resume, for the caller to free, or NULL. */
SSL_SESSION *tls_config_take_session(struct tls_config *config, const char *name);
