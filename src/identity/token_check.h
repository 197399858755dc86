#pragma once

/*
 * token_check.h - who issued a verified token, for whom, and from when until when
 *
 * Looks at the JSON, not at flattened claims: there, the text "1" and the number 1 are alike.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

struct token_rules {
	struct str issuer;
	const struct str *audiences; /* one of them must be named */
	size_t audience_count;
	int64_t now_unix;
	int64_t leeway_s;
	bool needs_iat;
};

/* iss, aud, exp (must be there), nbf, iat, and a sub that may be a user id. */
int token_check(const json_t *payload, const struct token_rules *rules, int64_t *ret_expires_unix,
		struct err *e);
