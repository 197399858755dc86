#pragma once

/*
 * h1_parse.h - HTTP/1.1 message heads and bodies, pure (RFC 9112)
 *
 * Strict: CRLF only, no bare CR or LF, no NUL or other control bytes, no obs-fold, no blanks
 * around names, no '_' in request header names, one Host, at most one Content-Length (identical
 * repetitions are refused as well), never Content-Length together with Transfer-Encoding. Refuse,
 * never repair.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "http/http.h"

/* Finds the end of a head byte by byte, refusing early what can never become one. */
struct h1_scanner {
	size_t scanned; /* bytes looked at */
	unsigned state; /* private */
	size_t line_count;
};

enum h1_scan {
	H1_SCAN_MORE,      /* no end yet */
	H1_SCAN_COMPLETE,  /* head_len bytes, blank line included */
	H1_SCAN_TOO_LARGE, /* more than HTTP_HEAD_MAX bytes or HTTP_HEADERS_MAX headers: 431 */
	H1_SCAN_BAD,       /* 400 */
};

/* data is everything received so far; only what is new is looked at. Leading CRLFs are refused. */
enum h1_scan h1_scan(struct h1_scanner *scanner, struct str data, size_t *ret_head_len,
		     struct err *e);

/* head: a complete head from h1_scan(). Views point into head and the arena. body is left empty. */
int h1_parse_request(struct str head, struct arena *arena, struct http_request *ret, struct err *e);

struct h1_response_head {
	int status;
	unsigned minor_version;
	struct http_headers headers;
};

int h1_parse_response(struct str head, struct arena *arena, struct h1_response_head *ret,
		      struct err *e);

/* ---- bodies ---- */

enum h1_body_kind { H1_BODY_NONE, H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_UNTIL_END };

struct h1_body {
	enum h1_body_kind kind;
	uint64_t left;   /* of the body, or of the current chunk */
	unsigned state;  /* private */
	size_t overhead; /* bytes of the current size, extension or trailers: bounded; private */
	bool is_complete;
};

/* How the body of a request / of a response to that method is delimited (RFC 9112 section 6.3). */
int h1_body_of_request(struct h1_body *b, const struct http_request *request, struct err *e);
int h1_body_of_response(struct h1_body *b, struct str method, const struct h1_response_head *head,
			struct err *e);

/*
 * Takes the framing off: consumes from data, appends content to out (its maximum bounds the body:
 * ERR_LIMIT). Returns 0 and how much was consumed; is_complete tells the end. Trailers are read
 * and dropped.
 */
int h1_body_decode(struct h1_body *b, struct str data, size_t *ret_consumed, struct buf *out,
		   struct err *e);
