#pragma once

/*
 * tls_options.h - the TLS flags of the command line as a TLS configuration
 */

#include "base/err.h"
#include "tls/tls_config.h"

struct options;

#define TLS_OPTIONS_FILE_MAX (1u << 20)

/* Reads the files named. Errors are sentences for the user that name the flag. */
int tls_options_load(const struct options *options, struct tls_config **ret, struct err *e);

/* If e is about an issuer that is not known, adds what that may mean and which flag helps. */
void tls_options_advise(struct err *e);

/* What tls_options_load() gave, but offering HTTP/2 before HTTP/1.1: for transport.h. */
int tls_options_load_h2(const struct options *options, const struct tls_config *same,
			struct tls_config **ret, struct err *e);
