#pragma once

/*
 * upstream_tls.h - how a route speaks TLS to the proxies among its targets (configuration.md 7.4)
 */

#include "base/err.h"
#include "config/config.h"

struct tls_config;

/* NULL if no target of the route is an https:// proxy. The certificates of the route's own CA alone are trusted if it has one. */
int upstream_tls_new(const struct config *config, const struct config_route *route,
		     struct tls_config **ret, struct err *e);
