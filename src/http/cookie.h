#pragma once

/*
 * cookie.h - reading the Cookie header and writing Set-Cookie (RFC 6265)
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http.h"

/* The first cookie of that name in all Cookie headers, a view into them; false if there is none. */
bool cookie_get(const struct http_headers *headers, struct str name, struct str *ret_value);

struct set_cookie {
	struct str name;
	struct str value;
	struct str path;
	struct str domain;    /* empty: host-only */
	struct str same_site; /* "Lax", "Strict", "None"; empty: not sent */
	int64_t expires_unix; /* 0: a session cookie */
	bool http_only;
};

/* The value of a Set-Cookie header, attributes in the order of protocol.md 3.7; always Secure. */
int set_cookie_format(const struct set_cookie *cookie, struct buf *out);

/* Empty value, Max-Age=0, Expires one hour before now. */
int set_cookie_format_clear(const struct set_cookie *cookie, int64_t now_unix, struct buf *out);
