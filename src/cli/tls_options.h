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

/* The same, but offering HTTP/2 before HTTP/1.1: for transport.h. */
int tls_options_load_h2(const struct options *options, struct tls_config **ret, struct err *e);
