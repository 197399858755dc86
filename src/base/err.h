#pragma once

/*
 * err.h - what went wrong, as a sentence for a person
 *
 * Fallible functions return 0 or -1 and take a struct err last. The text is set where the failure
 * happens (err_set) and each layer may put its context in front (err_wrap). It is never allocated,
 * so the error path cannot fail; it is cut at ERR_TEXT_MAX bytes. Secrets never go into it.
 */

#include <stddef.h>

#include "base/compiler.h"

#define ERR_TEXT_MAX 512

enum err_kind {
	ERR_NONE,
	ERR_SYSTEM,    /* a system call */
	ERR_CONFIG,    /* the operator's or the user's input */
	ERR_PROTOCOL,  /* a peer's bytes */
	ERR_LIMIT,     /* a named maximum was reached */
	ERR_CRYPTO,    /* keys, signatures, seals */
	ERR_TLS,       /* handshake or record layer */
	ERR_UNTRUSTED, /* a server's certificate, because nobody here knows its issuer */
	ERR_TIMEOUT,
	ERR_DNS,         /* no address for a name */
	ERR_REFUSED,     /* connection refused */
	ERR_UNREACHABLE, /* no route, network down */
	ERR_RESET,       /* connection reset, or cut without its closing message */
	ERR_CLOSED,      /* the peer closed in an orderly way, but too early */
};

struct err {
	enum err_kind kind;
	char text[ERR_TEXT_MAX];
};

/* Sets kind and text. Returns -1, so that "return err_set(...)" reads well. e may be NULL. */
int err_set(struct err *e, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Like err_set() with ": <strerror>" added; the kind follows from errnum (ECONNREFUSED, ...). */
int err_errno(struct err *e, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "<context>: " in front of the text that is there. Returns -1. */
int err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* "timeout", "dns", ...: for logs. */
const char *err_kind_name(enum err_kind kind);
