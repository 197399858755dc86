#pragma once

/*
 * assertion.h - what upstreams and people are told about who somebody is (protocol.md 4.2, 5)
 *
 * Names are sorted, so that the same facts give the same text.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "identity/identity.h"
#include "jose/signing_key.h"

#define ASSERTION_LIFETIME_S 300
#define ASSERTION_EXTRA_MAX  64

/* Borrowed. */
struct assertion_facts {
	struct str host; /* of the route, without a port */
	bool issuer_is_uri;
	int64_t now_unix;
	struct str id; /* jti: a random UUID, never used before */
	struct str session_id;
	const struct identity *who;
	const struct str
		*extra; /* claims that are told as well; never in the place of one that always is */
	size_t extra_count;
};

/*
 * Appends the value of X-Pomerium-Jwt-Assertion. An extra claim is text, with ',' between several values; one that the
 * identity does not have is left out. ERR_LIMIT if the token would be longer than JWS_MAX (some hundred groups).
 */
int assertion_write(const struct signing_keys *keys, const struct assertion_facts *facts,
		    struct buf *out, struct err *e);

/* Appends the JSON object of /.pomerium/user: the claims but iss, aud, exp, iat and jti. */
int assertion_user_json(const struct assertion_facts *facts, struct buf *out, struct err *e);
