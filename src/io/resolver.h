#pragma once

/*
 * resolver.h - host name to addresses (c-ares, without blocking)
 *
 * Answers are cached for their TTL, between RESOLVER_TTL_MIN_S and RESOLVER_TTL_MAX_S; failures are not cached. "localhost" and names
 * below it are loopback (RFC 6761). Both families are asked at once, unless only one is wanted. IP literals are answered
 * directly, whatever family is wanted.
 *
 * Threads    One per loop.
 * Errors     ERR_DNS with a sentence that names the host.
 */

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"

#define RESOLVER_ADDRESSES_MAX 16
#define RESOLVER_CACHE_MAX     1024
#define RESOLVER_TTL_MIN_S     1
#define RESOLVER_TTL_MAX_S     300

struct loop;
struct resolver;
struct resolver_query;

struct resolver_answer {
	struct addr addresses[RESOLVER_ADDRESSES_MAX]; /* port 0 */
	size_t count;
};

struct resolver *resolver_new(struct loop *loop, struct err *e);

/* Questions not answered yet end without on_done. NULL is ignored. */
void resolver_free(struct resolver *r);

/* Asks only this name server from now on, not those of the system. */
int resolver_use_server(struct resolver *r, const struct addr *server, struct err *e);

/* family: AF_UNSPEC, AF_INET, AF_INET6. on_done runs once, later: with an answer of at least one address, or with NULL and
 * the reason. */
struct resolver_query *resolver_query_start(struct resolver *r, struct str host, int family,
					    void (*on_done)(void *arg,
							    const struct resolver_answer *answer,
							    const struct err *e),
					    void *arg);

/* on_done will not run. NULL is ignored. */
void resolver_query_cancel(struct resolver_query *q);
