#pragma once

/*
 * proxy_target.h - connect a program that speaks to the local proxy with what it asks for: through the gateway, or by itself
 *
 * What is not behind the gateway is reached as the gateway is: directly, or through the proxy that the user has set.
 *
 * The program is held until the connection is there; then it is asked for its stream, and the two are relayed.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was closed.
 * Threads    One loop.
 * Errors     Only through on_done, later.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/exit_status.h"
#include "cli/local_tunnel.h"

struct client;
struct proxy_target;
struct proxy_url;

struct proxy_target_options {
	struct client *client;
	struct str target; /* a valid CONNECT target */
	bool through_gateway;
	bool is_http_request;    /* of an http:// address: which of the user's proxies counts */
	const char *gateway_url; /* NULL: the gateway is the target's own host */
	/* Once, when the connection is there. */
	local_tunnel_take_fn *take;
	/* Once. With e there was no connection, and take was not called; it is the callee's to report. */
	void (*on_done)(void *arg, enum exit_status status, const struct err *e);
	void *arg;
};

struct proxy_target *proxy_target_start(const struct proxy_target_options *options);

/* Of the callee of take, for an HTTP request: the proxy that the connection leads to; NULL: it leads to the target. */
const struct proxy_url *proxy_target_next_proxy(const struct proxy_target *t);

/* on_done will not run. NULL is ignored. */
void proxy_target_close(struct proxy_target *t);
