#pragma once

/*
 * identity.h - who somebody is: immutable facts
 *
 * Ownership  Reference counted, shared by all threads. The strings belong to the identity.
 */

#include <stddef.h>

#include "base/str.h"
#include "identity/claims.h"

#define IDENTITY_GROUPS_MAX 1024

struct identity {
	struct str user_id;
	struct str email; /* "" if unknown, or not one that may be used for a decision */
	struct str name;
	const struct str *groups;
	size_t group_count;
	struct claims claims; /* everything the provider said, the above included */
};

/* Copies everything. The caller guarantees IDENTITY_GROUPS_MAX and the limits of claims. */
struct identity *identity_new(const struct identity *facts) MUST_CHECK;
struct identity *identity_ref(struct identity *identity);
void identity_unref(struct identity *identity); /* NULL is ignored */
