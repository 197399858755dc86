#pragma once

/*
 * pattern.h - a regular expression that a text matches as a whole
 *
 * The language is what RE2 and PCRE2 have in common: no back-references, no lookaround, no verbs. "." is any character
 * but a line feed, "$" the very end, \d and \w are ASCII. Text is UTF-8; what is not matches nothing.
 *
 * Ownership  Immutable; any number of threads may match with one pattern.
 * Errors     ERR_CONFIG: "at character 5: missing closing parenthesis".
 * Limits     Named below. A match that would take more steps or memory than allowed is no match.
 */

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define PATTERN_LEN_MAX    4096
#define PATTERN_STEPS_MAX  100000
#define PATTERN_MEMORY_KIB 1024

struct pattern;

int pattern_new(struct str text, struct pattern **ret, struct err *e);
void pattern_free(struct pattern *pattern); /* NULL is ignored */

bool pattern_matches(const struct pattern *pattern, struct str text);

DEFINE_CLEANUP(struct pattern, pattern_free)
