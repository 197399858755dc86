/*
 * utf8.c - the first byte gives the length and the smallest code point that deserves it
 */

#include "base/utf8.h"

struct utf8_form {
	unsigned char mask; /* bits of the first byte that tell the form */
	unsigned char mark; /* their value */
	size_t len;
	uint32_t smallest; /* less than this is an overlong form */
};

static const struct utf8_form forms[] = {
	{ 0x80, 0x00, 1, 0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

static const struct utf8_form *form_of(unsigned char first)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((first & forms[i].mask) == forms[i].mark)
			return &forms[i];
	}
	return NULL;
}

size_t utf8_decode(struct str s, uint32_t *ret_code_point)
{
	if (s.len == 0)
		return 0;
	const struct utf8_form *form = form_of((unsigned char)s.at[0]);
	if (!form || form->len > s.len)
		return 0;
	uint32_t code_point = (unsigned char)s.at[0] & (unsigned char)~form->mask;
	for (size_t i = 1; i < form->len; i++) {
		unsigned char byte = (unsigned char)s.at[i];
		if ((byte & 0xc0) != 0x80)
			return 0;
		code_point = (code_point << 6) | (byte & 0x3f);
	}
	if (code_point < form->smallest || code_point > 0x10ffff ||
	    (code_point >= 0xd800 && code_point <= 0xdfff))
		return 0;
	*ret_code_point = code_point;
	return form->len;
}

static bool is_shown(uint32_t code_point)
{
	return code_point >= 0x20 && !(code_point >= 0x7f && code_point < 0xa0) &&
	       code_point != 0x061c && !(code_point >= 0x200b && code_point <= 0x200f) &&
	       !(code_point >= 0x2028 && code_point <= 0x202e) &&
	       !(code_point >= 0x2060 && code_point <= 0x206f) && code_point != 0xfeff;
}

int utf8_append_shown(struct buf *out, struct str text)
{
	int rc = 0;

	while (text.len && rc == 0) {
		uint32_t code_point;
		size_t len = utf8_decode(text, &code_point);

		rc = len && is_shown(code_point) ? buf_append(out, text.at, len)
						 : buf_append_char(out, '?');
		text = str_from_pos(text, len ? len : 1);
	}
	return rc;
}
