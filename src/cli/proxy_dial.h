#pragma once

/*
 * proxy_dial.h - open a connection to a host through a forward proxy: CONNECT of HTTP, or SOCKS5
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled; what the request names is
 *            borrowed until then. The stream belongs to the callee.
 * Errors     Only through on_done, later. The sentence names the proxy, never its user or password.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define PROXY_ANSWER_TIMEOUT_MS 30000

struct loop;
struct proxy_dial;
struct proxy_url;
struct resolver;
struct stream;
struct tls_config;

struct proxy_dial_request {
	const struct proxy_url *proxy;
	struct tls_config *tls; /* to the proxy itself; for PROXY_HTTPS */
	struct str host;        /* name or IP literal without brackets */
	uint16_t port;
	bool may_speak_first;  /* else bytes right behind the proxy's answer are an error */
	bool is_for_the_proxy; /* the connection to the proxy itself, which must be one of HTTP */
};

struct proxy_dial *proxy_dial_start(
	struct loop *loop, struct resolver *resolver, const struct proxy_dial_request *request,
	void (*on_done)(void *arg, struct stream *stream, const struct err *e), void *arg);

/* on_done will not run. NULL is ignored. */
void proxy_dial_cancel(struct proxy_dial *d);

/* The sentence for an answer to CONNECT other than 200. */
void proxy_dial_explain(const struct proxy_url *proxy, const char *target, int status,
			struct err *ret);
