#pragma once

/*
 * json_strict.h - JSON objects from outside, read with jansson and without its leniency
 */

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/*
 * The object, or NULL. Refused are duplicate names, bytes that are not UTF-8, NUL characters and nesting beyond
 * depth_max (an object of scalars has depth 1). All numbers are read as reals. Release with json_decref().
 */
json_t *json_strict_read(struct str text, unsigned depth_max, struct err *e);
