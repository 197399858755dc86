#pragma once

/*
 * http.h - message heads as plain data (RFC 9110)
 *
 * Everything is a view; whoever hands out a head says how long it lives.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* protocol.md 1.5 */
#define HTTP_HEAD_MAX    (128u * 1024)
#define HTTP_HEADERS_MAX 1000
#define HTTP_BODY_MAX    (64u * 1024)

struct http_header {
	struct str name; /* as received; compare without regard to case */
	struct str value;
};

struct http_headers {
	const struct http_header *items;
	size_t count;
};

/* The value of the first header of that name; false if there is none. */
bool http_headers_get(const struct http_headers *h, struct str name, struct str *ret_value);

/* True if a comma-separated header of that name has the token (without regard to case). */
bool http_headers_has_token(const struct http_headers *h, struct str name, struct str token);

struct http_request {
	struct str method;    /* case-sensitive, upper-case as sent */
	struct str target;    /* as received */
	struct str authority; /* CONNECT target, absolute-form authority, or Host */
	struct str path;      /* escaped, without query; empty for CONNECT */
	struct str query;     /* escaped, without '?' */
	struct http_headers headers;
	struct str body;
	unsigned minor_version; /* HTTP/1.x */
	bool is_connect; /* asks for a tunnel: CONNECT, or what connect_udp.h and websocket.h say */
	bool is_udp;     /* of packets, in capsules; authority is that of its path */
	bool is_websocket; /* in the messages of a WebSocket; likewise */
	bool keep_alive;
};

struct http_response {
	int status;
	const struct http_header
		*headers; /* without date, content-length, connection: the writer adds them */
	size_t header_count;
	struct str body;
	bool close; /* close the connection after this response */
};

/* "Not Found"; "" for an unknown status. Knows 450 and 495. */
const char *http_status_text(int status);

/*
 * Which of the offered media types an Accept header prefers (protocol.md 2.8, policy-language.md
 * 3.1): ranges by q descending, then by specificity, then in the order of the header; the first
 * that matches one of the offered wins, and if it matches several, the first of those. Parameters
 * but q only count for specificity. Returns the index, or -1 if none matches, the header is
 * broken, or it is empty.
 */
int http_accept_prefers(struct str accept, const struct str *offered, size_t offered_count);
