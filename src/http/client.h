#pragma once

/*
 * client.h - one request and its response over a stream the caller opened
 *
 * Ownership  Takes the stream; closes it when done. The operation belongs to the caller until on_done
 *            has run or http_client_cancel() was called.
 * Errors     Only through on_done: ERR_TIMEOUT, ERR_LIMIT, ERR_PROTOCOL, or what the stream said.
 */

#include "base/err.h"
#include "http/http.h"
#include "io/stream.h"

struct loop;
struct http_client;

struct http_client_request {
	struct str method;
	struct str target; /* origin-form */
	struct str host;   /* Host header */
	const struct http_header *headers;
	size_t header_count;
	struct str body; /* with Content-Length unless empty */
	uint64_t timeout_ms;
	size_t body_max; /* of the response */
	bool keeps_stream;
};

struct http_client_response {
	int status;
	struct http_headers headers;
	struct str body;
	struct stream *
		stream; /* with keeps_stream: belongs to the callee; NULL: it cannot be used again */
};

/* Sends "connection: close", but for keeps_stream. on_done runs once, later; the response is valid during the call. */
struct http_client *http_client_start(struct loop *loop, struct stream *stream,
				      const struct http_client_request *request,
				      void (*on_done)(void *arg,
						      const struct http_client_response *response,
						      const struct err *e),
				      void *arg);
void http_client_cancel(struct http_client *c);
