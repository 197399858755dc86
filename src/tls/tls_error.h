#pragma once

/*
 * tls_error.h - OpenSSL's error queue as sentences; private to tls/
 *
 * Every function here leaves the queue of the calling thread empty.
 */

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"

#define TLS_NAMES_TEXT_MAX 200

/* The context with ": <reason>" added, if OpenSSL left one. Returns -1. */
int tls_err_openssl(struct err *e, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Why a handshake, read or write of ssl failed, with ERR_TLS. name is the server's name as the client knows it,
 * empty on the server side. Returns -1. */
int tls_err_failure(struct err *e, const SSL *ssl, struct str name, bool is_handshake);

/* The queue says that the first bytes of the peer were plain HTTP. Does not change the queue. */
bool tls_err_is_plain_http(void);
