#pragma once

/*
 * tls_config_parts.h - a TLS configuration in the making; private to tls_config*.c
 */

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/ref.h"
#include "tls/tls_config.h"
#include "tls/tls_kept_sessions.h"
#include "tls/tls_pem.h"
#include "tls/tls_sessions.h"

struct client_auth;
struct tls_tickets;

struct tls_config {
	struct ref ref;
	bool is_server;
	bool verifies;
	BIO_METHOD *bio_method;
	SSL_CTX **contexts;
	size_t context_count;
	struct map by_name; /* lower case, "*." included -> SSL_CTX of contexts */
	char **alpn;        /* NULL-terminated */
	struct buf alpn_wire;
	char *plain_http_reply;
	struct tls_sessions sessions;
	struct tls_kept_sessions kept;   /* of a client */
	struct client_auth *client_auth; /* these are a server's; with their destructor */
	struct tls_tickets *tickets;
	void (*free_server_part)(struct tls_config *config);
};

struct tls_config *tls_config_new(bool is_server);

int tls_config_set_alpn(struct tls_config *config, const char *const *names, struct err *e);

/* What both sides have in common. The config frees the context. */
SSL_CTX *tls_config_add_context(struct tls_config *config, struct err *e);

int tls_config_use_pair(SSL_CTX *context, const struct tls_pem_pair *pair, const char *origin,
			struct err *e);
