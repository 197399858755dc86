#pragma once

/*
 * signed_url.h - URLs that carry their own proof (protocol.md 3.2)
 */

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/url.h"

#define SIGNED_URL_LIFETIME_S 300
#define SIGNED_URL_LEEWAY_S   60

/*
 * Appends base "?" canonical query of params + pomerium_issued, pomerium_expiry,
 * pomerium_signature. base is scheme://host/path without a query; parameters of these three names
 * in params are replaced.
 */
int signed_url_sign(struct str key, struct str base, const struct query *params, int64_t now_unix,
		    struct buf *out, struct err *e);

/* What a client asked for: "https://" authority path "?" query, the path in its escaped form as received. */
struct signed_url_parts {
	struct str authority;
	struct str path;
	struct str query;
};

/* On success *ret has all parameters but the three of the signature, unescaped in the arena. */
int signed_url_verify(struct str key, const struct signed_url_parts *url, int64_t now_unix,
		      struct arena *arena, struct query *ret, struct err *e);
