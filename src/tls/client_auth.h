#pragma once

/*
 * client_auth.h - a server that asks clients for certificates; private to tls/
 */

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/tls_config.h"

#define CLIENT_AUTH_CA_NAMES_MAX 16384 /* bytes of names in a request; beyond that none are named */

struct client_auth;

int client_auth_new(const struct tls_server_options *options, struct client_auth **ret,
		    struct err *e);
void client_auth_free(struct client_auth *auth); /* NULL is ignored */

/* The context must not outlive auth. */
int client_auth_apply(struct client_auth *auth, SSL_CTX *context, struct err *e);
