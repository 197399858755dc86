#pragma once

/*
 * json_input.h - JSON from identity providers, read with jansson
 *
 * Refused are duplicate names, bytes that are not UTF-8, NUL characters, integers beyond 64 bits, reals that no double
 * holds, and anything behind the value. Apart from jose/json_strict.h because integers stay exact here.
 */

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* An object or a list of at most max bytes, or NULL. Release with json_decref(). */
json_t *json_input_object(struct str text, size_t max, struct err *e);
json_t *json_input_list(struct str text, size_t max, struct err *e);

/* A member that is a string, as a view into the object; "" if it is anything else. */
struct str json_input_text(const json_t *object, const char *name);

/* A JSON string (not NULL), as a view into it. */
struct str json_input_view(const json_t *string);

/* A number of seconds, whole or not, between 0 and the year 9999; false for anything else. */
bool json_input_seconds(const json_t *value, int64_t *ret);
