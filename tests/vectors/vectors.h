#pragma once

/*
 * vectors.h - the known answers in this folder, for tests
 *
 * Every function ends the test program with a message if what it is asked for is not there.
 */

#include <jansson.h>

#include "base/buf.h"
#include "base/str.h"

/* The parsed file; release with json_decref(). */
json_t *vectors_load(const char *file_name);

/* A member of an object. */
const json_t *vectors_get(const json_t *object, const char *name);
struct str vectors_str(const json_t *object, const char *name);
int64_t vectors_int(const json_t *object, const char *name);

/* Appends the bytes that a member holds in base64 or hexadecimal. */
void vectors_base64(const json_t *object, const char *name, struct buf *out);
void vectors_hex(const json_t *object, const char *name, struct buf *out);
