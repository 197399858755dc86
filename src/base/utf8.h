#pragma once

/*
 * utf8.h - telling UTF-8 from other bytes (RFC 3629)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * The length of the character at the start of s (1 to 4) and its code point; 0 if there is none:
 * empty text, a stray or missing continuation byte, an overlong form, a surrogate, or beyond
 * U+10FFFF.
 */
size_t utf8_decode(struct str s, uint32_t *ret_code_point);
