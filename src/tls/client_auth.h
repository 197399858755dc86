#pragma once

/*
 * client_auth.h - a server that asks clients for certificates; private to tls/
 */

#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/tls_config.h"

#define CLIENT_AUTH_ID_SIZE      32
#define CLIENT_AUTH_CA_NAMES_MAX 16384 /* bytes of names in a request; beyond that none are named */

struct client_auth {
	enum tls_client_certificates mode;
	struct client_ca **cas; /* referenced */
	size_t ca_count;
	uint8_t session_id_context[CLIENT_AUTH_ID_SIZE];
};

int client_auth_init(struct client_auth *auth, const struct tls_server_options *options,
		     struct err *e);
void client_auth_done(struct client_auth *auth);

/* The context must not outlive auth. */
int client_auth_apply(struct client_auth *auth, SSL_CTX *context, struct err *e);
