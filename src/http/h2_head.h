#pragma once

/*
 * h2_head.h - header fields of HTTP/2 become a head of HTTP/1.1, which the parser of those takes apart
 *
 * So a request means the same in both versions and is held to the same rules: one reading of targets, hosts and names.
 * Cookies that were sent in crumbs are one header again (RFC 9113 section 8.2.3).
 *
 * Limits     HTTP_HEAD_MAX, HTTP_HEADERS_MAX: beyond that is_too_large; fields are no longer kept, only counted.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"

#define H2_PSEUDO_MAX (8u * 1024)

struct h2_head {
	struct buf method;
	struct buf authority;
	struct buf path;
	struct buf protocol; /* RFC 8441 */
	struct buf status;
	struct buf target;
	struct buf fields; /* as lines */
	struct buf cookie;
	struct buf text; /* the whole head; views point into it */
	struct arena arena;
	size_t seen; /* bytes of names and values, kept or not */
	size_t count;
	bool is_too_large;
	bool is_bad;
	bool is_websocket; /* asked for by protocol */
};

void h2_head_init(struct h2_head *h);

/* Wiped: heads carry credentials. */
void h2_head_done(struct h2_head *h);

void h2_head_add(struct h2_head *h, struct str name, struct str value);

/* 0, or the status of the refusal with the reason in e. Views live as long as the head. */
int h2_head_request(struct h2_head *h, struct http_request *ret, struct err *e);

int h2_head_response(struct h2_head *h, int *ret_status, struct http_headers *ret, struct err *e);
