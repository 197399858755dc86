#pragma once

/*
 * claims.h - what an identity provider says about somebody, flattened (policy-language.md 7)
 *
 * Nested objects become names joined with '.', a scalar a list of one, numbers and booleans their text; null is left out,
 * and so are objects and lists inside a list. Where two names become alike the less nested one wins.
 *
 * Ownership  Views into the arena, or into the identity that has copied them.
 */

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CLAIMS_MAX       512
#define CLAIM_VALUES_MAX 4096 /* of all claims together */
#define CLAIMS_TEXT_MAX  (128u * 1024)
#define CLAIMS_DEPTH_MAX 16
#define CLAIMS_JSON_MAX                                                                            \
	(1024u * 1024) /* holds what claims_write() makes of the most that is allowed */

struct claim {
	struct str name;
	const struct str *values;
	size_t value_count;
};

struct claims {
	const struct claim *items; /* sorted by name, bytewise; no two alike */
	size_t count;
};

/*
 * Reads a JSON object. Refuses duplicate names, bytes that are not UTF-8, NUL characters, integers beyond 64 bits (they
 * would not stay exact), reals that no double holds, and what exceeds a limit.
 */
int claims_parse(struct str json, struct arena *arena, struct claims *ret, struct err *e);

/* The claims of base, those of over in their place where both have one. */
int claims_overlay(const struct claims *base, const struct claims *over, struct arena *arena,
		   struct claims *ret, struct err *e);

/* Drops some names (NULL-terminated list). */
void claims_without(const struct claims *claims, const char *const *names, struct arena *arena,
		    struct claims *ret);

/* Everything, the texts included. */
void claims_copy(const struct claims *claims, struct arena *arena, struct claims *ret);

/* NULL if there is none. */
const struct claim *claims_find(const struct claims *claims, struct str name);

/* The only value of that claim; "" if there is none or more than one. */
struct str claims_text(const struct claims *claims, struct str name);

/* Appends {"name":["value",…],…}: what claims_parse() reads back as the same. */
int claims_write(const struct claims *claims, struct buf *out);
