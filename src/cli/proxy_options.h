#pragma once

/*
 * proxy_options.h - which proxy others are reached through, gateways first of all: --proxy, else the environment
 *
 * For https gateways HTTPS_PROXY, for http ones HTTP_PROXY, else ALL_PROXY; in lower case first, as other programs do.
 * NO_PROXY and gateways on this machine itself are exceptions from the environment's, not from --proxy; --proxy=none means
 * no proxy at all.
 *
 * Ownership  proxy_options_done() releases and wipes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/proxy_url.h"

struct destination;
struct options;
struct tls_config;

/* What the user has typed; each may be NULL. The second of two counts if the first is missing or empty. */
struct proxy_environment {
	const char *https[2];
	const char *http[2];
	const char *all[2];
	const char *none[2];
};

struct proxy_options {
	bool is_forced;             /* by the flag */
	struct proxy_url for_https; /* without a host: direct */
	struct proxy_url for_http;
	char *no_proxy;
	struct tls_config *tls; /* NULL: no proxy of these speaks TLS */
};

/*
 * From the flags and the process's environment. Of a password among the arguments other users see only letters "x". tls is what
 * proxies that speak it are met with; it is referenced.
 */
int proxy_options_load(const struct options *options, struct tls_config *tls,
		       struct proxy_options *ret, struct err *e);
void proxy_options_done(struct proxy_options *proxies);

/* The part without TLS and without getenv(). flag may be NULL. */
int proxy_options_read(const char *flag, const struct proxy_environment *environment,
		       struct proxy_options *ret, struct err *e);

/* NULL: directly. proxies may be NULL. */
const struct proxy_url *proxy_options_choose(const struct proxy_options *proxies,
					     const struct destination *destination);

/*
 * The same for what is no gateway. Of --proxy this machine itself is an exception here: a program that asks for localhost does
 * not mean that of the proxy.
 */
const struct proxy_url *proxy_options_choose_for_other(const struct proxy_options *proxies,
						       struct str host, uint16_t port,
						       bool is_http_request);

/* Whether one of them is who listens at the address, so that connections would go around in a circle. */
bool proxy_options_lead_to(const struct proxy_options *proxies, struct str address);
