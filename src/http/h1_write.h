#pragma once

/*
 * h1_write.h - formatting HTTP/1.1 messages, pure; for this module only
 *
 * Nothing that could end a line early is ever written.
 */

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"

/* A message built in memory: a guard against runaway pages, not something a peer can reach. */
#define H1_MESSAGE_MAX (16u << 20)

struct h1_request_head {
	struct str method;
	struct str target;
	struct str host;
	const struct http_header *headers;
	size_t header_count;
	struct str body; /* Content-Length is written unless it is empty */
	bool close;      /* write "Connection: close" */
};

/* Fails, leaving out as long as it was, if a part (users type some) does not fit into a head. */
int h1_write_request(struct buf *out, const struct h1_request_head *request, struct err *e);

enum h1_response_kind {
	H1_RESPONSE_FULL,
	H1_RESPONSE_TO_HEAD, /* the length of the body without the body */
	H1_RESPONSE_TUNNEL,  /* 200 to a CONNECT: no framing */
};

struct h1_response_form {
	enum h1_response_kind kind;
	bool close;
	bool says_keep_alive; /* HTTP/1.0 clients want to hear it */
};

/* The program guarantees clean headers and a size below the buffer's maximum. */
void h1_write_response(struct buf *out, const struct http_response *response,
		       const struct h1_response_form *form);
