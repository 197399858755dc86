#pragma once

/*
 * policy_testing.h - the facts of a vector of tests/vectors/policy.json, for tests
 *
 * Finding the session and its records is the gateway's work; here policy-language.md 4 is done again, so that the vectors
 * are usable as they are.
 */

#include "policy/policy.h"
#include "tests/vectors/vectors.h"

#define FACTS_LIST_MAX 8

struct vector_facts {
	struct policy_input input;
	const json_t *session_claims;
	const json_t *user_claims;
	struct str groups[FACTS_LIST_MAX];
	struct str names[3][FACTS_LIST_MAX]; /* of the certificate */
	enum policy_certificate_rule certificates;
};

/* The facts point into the file and into themselves. */
void vector_facts_init(struct vector_facts *f, const json_t *file, const json_t *vector);

/* "a,b": the names are sorted because the enum is. */
void reasons_format(uint64_t reasons, char *out, size_t size);

/* What a client is answered (policy-language.md 3.2). */
int outcome_status(const struct decision *d);
