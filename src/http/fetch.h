#pragma once

/*
 * fetch.h - the gateway's own outgoing requests: identity providers, keys
 *
 * libcurl's multi interface on one loop. Honours HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (in small letters too) and
 * SSL_CERT_FILE and SSL_CERT_DIR, as they are when the fetcher is made; verifies certificates against the system's
 * authorities and those of the options; follows no redirects; keeps connections for reuse. https only, and http (an
 * identity provider in a test network): nothing else.
 *
 * Ownership  A fetch belongs to its caller until on_done has run or fetch_cancel() was called.
 * Threads    That of the loop.
 * Limits     FETCHES_MAX at once, FETCHES_WAITING_MAX further ones wait; the response: body_max, and FETCH_HEAD_MAX for its
 *            head, interim responses and what a proxy says included.
 * Errors     Only through on_done: ERR_DNS, ERR_REFUSED, ERR_UNREACHABLE, ERR_TIMEOUT, ERR_TLS, ERR_LIMIT, ERR_RESET,
 *            ERR_CLOSED, ERR_PROTOCOL (also for a request that is none). The text names the host, or the proxy if it was
 *            that, never a query, a body or a header.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/http.h"

#define FETCHES_MAX         64
#define FETCHES_WAITING_MAX 1024
#define FETCH_HEAD_MAX      (64u * 1024)

struct fetch;
struct fetcher;
struct loop;

struct fetcher_options {
	struct str extra_ca_pem;      /* in addition to the system's; copied */
	const char *unix_socket_path; /* NULL, or connect to this instead of the host: copied */
};

struct fetcher *fetcher_new(struct loop *loop, const struct fetcher_options *options,
			    struct err *e);

/* Other extra authorities for requests that begin from now on. On failure the ones before stay. */
int fetcher_set_authorities(struct fetcher *f, struct str extra_ca_pem, struct err *e);
void fetcher_free(struct fetcher *f); /* cancels what is in progress; NULL is ignored */

struct fetch_request {
	struct str method; /* "GET", "POST", "DELETE" */
	struct str url;
	const struct http_header *headers;
	size_t header_count;
	struct str body;     /* with POST */
	uint64_t timeout_ms; /* from fetch_start() to the last byte */
	size_t body_max;     /* of the response */
};

struct fetch_response {
	int status;
	struct str content_type; /* without parameters */
	int64_t max_age_s;       /* of Cache-Control; -1: none */
	struct str body;
};

/* Everything is copied, and wiped afterwards. on_done runs once, later: with a response, valid during the call, or NULL. */
struct fetch *fetch_start(struct fetcher *f, const struct fetch_request *request,
			  void (*on_done)(void *arg, const struct fetch_response *response,
					  const struct err *e),
			  void *arg);
void fetch_cancel(struct fetch *f); /* NULL is ignored */
