#pragma once

/*
 * http_chars.h - the character classes of RFC 9110 section 5.6, for the parsers of this module
 */

#include <stdbool.h>

#include "base/str.h"

/* tchar */
static inline bool http_is_token_char(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	switch (c) {
	case '!':
	case '#':
	case '$':
	case '%':
	case '&':
	case '\'':
	case '*':
	case '+':
	case '-':
	case '.':
	case '^':
	case '_':
	case '`':
	case '|':
	case '~':
		return true;
	}
	return false;
}

/* HTAB, SP, VCHAR, obs-text: what a field value may hold. */
static inline bool http_is_text_char(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* VCHAR: printable without blank. */
static inline bool http_is_visible_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f;
}

/* One or more tchar. */
bool http_is_token(struct str s);

/* Nothing but field value characters; may be empty. */
bool http_is_text(struct str s);

/* Without leading and trailing SP and HTAB (OWS). */
struct str http_trim_blanks(struct str s);
