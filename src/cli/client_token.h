#pragma once

/*
 * client_token.h - a client certificate or its key on a PKCS#11 token, as the flags name them
 *
 * Ownership  client_token_done() releases and wipes. What is in token belongs to the struct, which must stay where it is.
 */

#include "base/err.h"
#include "cli/token_uri.h"
#include "tls/tls_config.h"

struct options;

struct client_token {
	struct token_uri certificate;
	struct token_uri key;
	struct tls_token token; /* without URIs: there is no token */
};

/* At least one of --client-cert and --client-key is a pkcs11: URI; a certificate that is one needs no --client-key if the key is
 * found by the same URI. Of a PIN among the arguments other users see only letters "x". */
int client_token_load(const struct options *options, struct client_token *ret, struct err *e);

void client_token_done(struct client_token *token);
