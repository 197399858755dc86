#pragma once

/*
 * proxy_url.h - the address of a forward proxy, and for which gateways it is not used
 *
 * Forms: "http://[user[:password]@]host[:port]", the same with https, socks5 and socks5h; without a scheme it is http.
 * User and password may be percent-encoded.
 *
 * Ownership  proxy_url_done() releases and wipes.
 * Errors     ERR_CONFIG with a sentence that shows nothing of the text: it may hold a password.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define PROXY_AUTHORIZATION_MAX 4096

enum proxy_kind {
	PROXY_HTTP,
	PROXY_HTTPS,   /* HTTP over TLS to the proxy */
	PROXY_SOCKS5,  /* names are resolved here */
	PROXY_SOCKS5H, /* names are resolved by the proxy */
};

struct proxy_url {
	enum proxy_kind kind;
	char *host; /* without brackets */
	uint16_t port;
	char *user;     /* NULL: no authentication */
	char *password; /* "" if the URL has none */
	char *name;     /* "http://proxy.example.com:3128": for messages */
};

int proxy_url_parse(struct str text, struct proxy_url *ret, struct err *e);
void proxy_url_done(struct proxy_url *url);

/* Appends the value of Proxy-Authorization; nothing without a user. It is a secret. */
void proxy_url_write_authorization(const struct proxy_url *url, struct buf *out);

/*
 * NO_PROXY: items between commas or blanks. "example.com" stands for that name and all below it, ".example.com" and
 * "*.example.com" for those below it alone; an IP address or a network in CIDR form for literals; "*" for everything.
 * Each may end with ":port".
 */
bool proxy_is_exempt(struct str no_proxy, struct str host, uint16_t port);
