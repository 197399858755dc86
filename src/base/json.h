#pragma once

/*
 * json.h - writing JSON text
 *
 * For log lines and tokens, where the order of keys and every byte counts. Reading is done with
 * jansson by those who need it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct json_writer {
	struct buf *out;  /* borrowed */
	bool escape_html; /* write < > & as \u003c \u003e \u0026 (protocol.md 3.5) */
	bool needs_comma;
};

void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);

/* Key of the next value inside an object. */
void json_key(struct json_writer *w, struct str key);

/* Bytes that are not UTF-8 are written as U+FFFD. */
void json_text(struct json_writer *w, struct str value);
void json_int(struct json_writer *w, int64_t value);
void json_uint(struct json_writer *w, uint64_t value);
void json_bool(struct json_writer *w, bool value);

/* A number with three decimals, as in "duration":15230.418. */
void json_thousandths(struct json_writer *w, uint64_t thousandths);
