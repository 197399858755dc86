#pragma once

/*
 * forwarded.h - the client's address, as proxies in front of us tell it in X-Forwarded-For (configuration.md 3.8)
 *
 * Each proxy appends who is connected to it, some with the port: so the last address is from the proxy that is connected to us, the one
 * before from the proxy in front of that. Only the last so many are believed; a client may have written the others.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "http/http.h"

/* The address trusted_hops from the end. False: there are not so many, or it is no IP address; whoever is connected counts then. */
bool forwarded_client(const struct http_headers *headers, uint32_t trusted_hops, struct addr *ret);
