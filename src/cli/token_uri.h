#pragma once

/*
 * token_uri.h - "pkcs11:token=laptop;object=vpn?pin-source=/etc/pin": something on a PKCS#11 token (RFC 7512)
 *
 * Strict: every attribute is known and given once. Error texts show no values: one of them may be a PIN.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define TOKEN_URI_MAX 4096

struct token_uri {
	char *object;      /* the URI up to its "?" */
	char *module_path; /* NULL: not given; likewise below */
	char *pin;         /* a secret */
	char *pin_path;    /* the file with the PIN */
};

bool token_uri_is(const char *text);

/* For a text that token_uri_is() one. */
int token_uri_parse(struct str text, struct token_uri *ret, struct err *e);

void token_uri_done(struct token_uri *uri);
