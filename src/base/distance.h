#pragma once

/*
 * distance.h - how far a word is from the one that was meant
 */

#include <stddef.h>

#include "base/str.h"

#define DISTANCE_TEXT_MAX      63
#define DISTANCE_SUGGESTED_MAX 2 /* what is farther away is another word */

/* Levenshtein's distance; SIZE_MAX if a text is longer than DISTANCE_TEXT_MAX. */
size_t str_distance(struct str a, struct str b);
