/*
 * log_console.c - only visible characters reach the terminal; everything else is shown as \xNN
 *
 * U+0080 to U+009F are control characters to a terminal even as UTF-8.
 */

#include "base/log_console.h"

#include "base/utf8.h"

#define FIRST_VISIBLE_BEYOND_ASCII 0xa0

/* The length of the visible character at the start of text, or 0. */
static size_t visible_len(struct str text)
{
	uint32_t code_point;
	size_t len = utf8_decode(text, &code_point);

	if (!len || code_point < 0x20 ||
	    (code_point > 0x7e && code_point < FIRST_VISIBLE_BEYOND_ASCII))
		return 0;
	return len;
}

static void put_escaped(struct buf *out, char c)
{
	/* an overflow is seen by the caller, here and below */
	if (c == '\n')
		(void)buf_append_str(out, STR("\\n"));
	else
		(void)buf_printf(out, "\\x%02x", (unsigned int)(unsigned char)c);
}

static void put_text(struct buf *out, struct str text, bool in_quotes)
{
	while (text.len) {
		char c = text.at[0];
		size_t len = visible_len(text);
		if (!len)
			put_escaped(out, c);
		else if (in_quotes && (c == '"' || c == '\\'))
			(void)buf_printf(out, "\\%c", c);
		else
			(void)buf_append_str(out, str_first(text, len));
		text = str_from_pos(text, len ? len : 1);
	}
}

static bool is_plain_word(struct str value)
{
	if (value.len == 0)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return true;
}

void log_console_value(struct buf *out, struct str value)
{
	if (is_plain_word(value)) {
		(void)buf_append_str(out, value);
		return;
	}
	(void)buf_append_char(out, '"');
	put_text(out, value, true);
	(void)buf_append_char(out, '"');
}

void log_console_text(struct buf *out, struct str text)
{
	put_text(out, text, false);
}
