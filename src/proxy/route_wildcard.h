#pragma once

/*
 * route_wildcard.h - names with '*' (configuration.md 5)
 *
 * '*' is any characters, dots too, possibly none; there may be any number of them, in the host only. Hosts compare without
 * regard to ASCII case, as all names do.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/url.h"

struct route;

struct route_wildcard {
	char *host;    /* in lower case */
	uint16_t port; /* 0: none given */
	/* Behind the last '*' is a dot and, after it, a domain of two labels at least: "*.example.com", but not "*.com" or
	 * "*ample.com", which match domains of strangers. */
	bool is_owned;
	struct route *route;
};

/* text: as config_route.wildcard. False if it is none. */
bool route_wildcard_init(struct route_wildcard *w, struct str text, struct route *route);
void route_wildcard_done(struct route_wildcard *w);

/* host: in lower case. */
bool route_wildcard_has_host(const struct route_wildcard *w, struct str host);

/* In time that grows with the sum of both lengths. */
bool wildcard_matches(struct str pattern, struct str text);
