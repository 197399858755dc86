#pragma once

/*
 * utf8.h - telling UTF-8 from other bytes (RFC 3629)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * The length of the character at the start of s (1 to 4) and its code point; 0 if there is none:
 * empty text, a stray or missing continuation byte, an overlong form, a surrogate, or beyond
 * U+10FFFF.
 */
size_t utf8_decode(struct str s, uint32_t *ret_code_point);

/*
 * Appends text for a person to read, with '?' for whatever a terminal or a page could take for more than a letter: control
 * characters (U+0080 to U+009F are some, also as UTF-8), what changes the direction of the text, what is not seen, and
 * bytes that are no UTF-8. It is not longer than before. -1: out is full.
 */
int utf8_append_shown(struct buf *out, struct str text);
