#pragma once

/*
 * gateway_request.h - one request to the gateway itself, on a connection of its own
 *
 * Ownership  What the options name is copied. The operation belongs to the caller until on_done has run or it was cancelled.
 * Errors     Only through on_done, later: the connection, or an answer that is none. Every status is an answer.
 */

#include "base/err.h"
#include "base/str.h"
#include "http/client.h"

#define GATEWAY_REQUEST_TIMEOUT_MS 10000
#define GATEWAY_REQUEST_BODY_MAX   (64u * 1024)

struct gateway;
struct gateway_request;

struct gateway_request_options {
	struct str method;
	struct str target;
	struct str token; /* empty: without */
	struct str form;  /* the body, as application/x-www-form-urlencoded */
	size_t body_max;  /* of the answer; 0: GATEWAY_REQUEST_BODY_MAX */
};

typedef void gateway_request_done_fn(void *arg, const struct http_client_response *response,
				     const struct err *e);

struct gateway_request *gateway_request_start(const struct gateway *gateway,
					      const struct gateway_request_options *options,
					      gateway_request_done_fn *on_done, void *arg);

/* on_done will not run. NULL is ignored. */
void gateway_request_cancel(struct gateway_request *request);
