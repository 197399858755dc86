#pragma once

/*
 * identity.h - who somebody is: immutable facts
 *
 * Ownership  Reference counted, shared by all threads. The strings belong to the identity.
 */

#include <stddef.h>

#include "base/str.h"

#define IDENTITY_GROUPS_MAX 1024

struct identity {
	struct str user_id;
	struct str email; /* "" if unknown */
	struct str name;
	const struct str *groups;
	size_t group_count;
};

/* Copies everything. The caller guarantees IDENTITY_GROUPS_MAX. */
struct identity *identity_new(const struct identity *facts) MUST_CHECK;
struct identity *identity_ref(struct identity *identity);
void identity_unref(struct identity *identity); /* NULL is ignored */
