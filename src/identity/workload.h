#pragma once

/*
 * workload.h - tokens of machines, issued by somebody else: Kubernetes, CI systems, clouds (protocol.md 2.3, configuration.md 3.2)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "identity/identity.h"
#include "jose/jwks.h"

/* One of identity_providers; borrowed. */
struct workload_issuer {
	struct str name;
	struct str issuer;
	struct str jwks_url; /* "": from the issuer's discovery document */
	uint32_t algorithms; /* 1u << JWS_x */
	const struct str *audiences;
	size_t audience_count;
};

struct workload_rules {
	const struct workload_issuer *issuer;
	const struct jwks *keys;
	int64_t now_unix;
};

/* "iss" of a token that nobody has verified yet, to find the issuer; "" if it has none. */
struct str workload_peek_issuer(struct str token, struct arena *arena);

/*
 * Verifies signature, iss, aud (one of the audiences), exp (must be there), nbf and iat. The identity's user id is
 * "<name>/<sub>"; it has an e-mail only if the issuer says email_verified. Views into the arena.
 */
enum jwt_verdict workload_verify(const struct workload_rules *rules, struct str token,
				 struct arena *arena, struct identity *ret,
				 int64_t *ret_expires_unix, struct err *e);
