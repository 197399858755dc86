#pragma once

/*
 * identity_claims.h - the parts of an identity, found in claims; views into them
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "identity/claims.h"
#include "identity/identity.h"

#define USER_ID_MAX 1024

/* Not empty, at most USER_ID_MAX bytes, no control characters. */
bool user_id_is_valid(struct str id);

/*
 * The address that may be used for a decision, or "". needs_proof: only if email_verified is true; otherwise also if
 * nothing is said about that.
 */
struct str identity_email(const struct claims *claims, bool needs_proof);

/* Sets name, email, groups and claims. */
int identity_fill(const struct claims *claims, bool needs_proof, struct identity *ret,
		  struct err *e);
