#pragma once

/*
 * local_http.h - small HTTP services of the control thread: the operator's socket, health checks
 *
 * One request at a time on a connection, answered by the service's function, now or later.
 *
 * Threads    That of the loop.
 * Limits     LOCAL_HTTP_CONNECTIONS_MAX per service: further ones are closed. Bodies as in http.h.
 */

#include <sys/types.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "http/http.h"

#define LOCAL_HTTP_CONNECTIONS_MAX 64
#define LOCAL_HTTP_TIMEOUT_MS      10000

struct local_http;
struct local_request;
struct loop;
struct tls_config;

/* Answers with local_reply(), now or later; local_abort_function may come first. */
typedef void local_serve_function(struct local_request *request);

struct local_request {
	const struct http_request *http; /* valid until answered */
	struct arena arena;              /* dies with the request */
	void *service;                   /* arg of the service */
	uid_t peer_uid;                  /* who asks, of those that come to a path */
	/* For whoever answers later: what to cancel if the client goes away first. */
	void *pending;
	void (*cancel_pending)(void *pending);

	struct local_connection *connection;
};

/* At an address, in plain HTTP. */
struct local_http *local_http_open(struct loop *loop, const struct addr *address,
				   local_serve_function *serve, void *arg, struct err *e);

/* At a listening descriptor, which is the service's from now on, also after a failure. */
struct local_http *local_http_adopt(struct loop *loop, int fd, local_serve_function *serve,
				    void *arg, struct err *e);

/* At a path; see listener_unix.h for who may connect. */
struct local_http *local_http_open_unix(struct loop *loop, const char *path,
					local_serve_function *serve, void *arg, struct err *e);

/* At the path where another process has its socket still: found there after local_http_take_over(). */
struct local_http *local_http_open_unix_beside(struct loop *loop, const char *path,
					       local_serve_function *serve, void *arg,
					       struct err *e);
int local_http_take_over(struct local_http *h, struct err *e);

/* The listening descriptor of one at an address; borrowed. */
int local_http_fd(const struct local_http *h);

/* Nobody new comes in; who is here is served. */
void local_http_stop(struct local_http *h);

void local_http_close(struct local_http *h); /* NULL is ignored */

/* From now on connections are TLS; NULL: plain HTTP. Referenced. */
void local_http_use_tls(struct local_http *h, struct tls_config *tls);

/* content_type is static text. The request is gone afterwards. */
void local_reply(struct local_request *request, int status, const char *content_type,
		 struct str body);

/* 401: asks for Basic credentials (RFC 7617). */
void local_reply_unauthorized(struct local_request *request);
