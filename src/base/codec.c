/*
 * codec.c - every function notes the length of the buf first and falls back to it on failure
 */

#include "base/codec.h"

#include <string.h>

struct base64_alphabet {
	const char *digits;
	bool is_padded;
};

#define BASE64_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const struct base64_alphabet alphabets[] = {
	[BASE64_STANDARD] = { BASE64_LETTERS "+/", true },
	[BASE64_URL] = { BASE64_LETTERS "-_", false },
	[BASE64_URL_PADDED] = { BASE64_LETTERS "-_", true },
};

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

static int fail_back(struct buf *out, size_t len_before)
{
	buf_truncate(out, len_before);
	return -1;
}

static uint32_t load_group(const uint8_t *at, size_t len)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 3; i++)
		group = (group << 8) | (i < len ? at[i] : 0u);
	return group;
}

int base64_encode(struct buf *out, enum base64_kind kind, const void *data, size_t len)
{
	const struct base64_alphabet *alphabet = &alphabets[kind];
	const uint8_t *from = data;
	size_t tail = len % 3;
	size_t unused = tail ? 3 - tail : 0; /* digits of the last group that carry nothing */
	size_t text_len;

	if (__builtin_mul_overflow(len / 3 + (tail != 0), 4u, &text_len))
		return -1;
	if (!alphabet->is_padded)
		text_len -= unused;
	uint8_t *to = buf_reserve(out, text_len);
	if (!to)
		return -1;
	for (size_t i = 0; i < len; i += 3) {
		size_t count = len - i < 3 ? len - i : 3;
		uint32_t group = load_group(from + i, count);
		for (size_t digit = 0; digit <= count; digit++)
			*to++ = (uint8_t)alphabet->digits[(group >> (18 - 6 * digit)) & 0x3f];
	}
	if (alphabet->is_padded && unused)
		memset(to, '=', unused);
	buf_commit(out, text_len);
	return 0;
}

/* 0 to 63, or -1. */
static int base64_digit(const struct base64_alphabet *alphabet, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet->digits[62])
		return 62;
	return c == alphabet->digits[63] ? 63 : -1;
}

static bool strip_padding(struct str *text)
{
	size_t padding = 0;

	if (text->len % 4)
		return false;
	while (padding < 2 && padding < text->len && text->at[text->len - 1 - padding] == '=')
		padding++;
	text->len -= padding;
	return true;
}

/* Decodes 2 to 4 digits to 1 to 3 bytes. */
static bool decode_group(const struct base64_alphabet *alphabet, struct str digits, uint8_t *to)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < digits.len ? base64_digit(alphabet, digits.at[i]) : 0;
		if (digit < 0)
			return false;
		group = (group << 6) | (uint32_t)digit;
	}
	/* bits behind the last whole byte must be zero, else two texts would mean the same bytes */
	if (digits.len < 4 && group & (digits.len == 3 ? 0xffu : 0xffffu))
		return false;
	for (size_t i = 0; i + 1 < digits.len; i++)
		to[i] = (uint8_t)(group >> (16 - 8 * i));
	return true;
}

int base64_decode(struct buf *out, enum base64_kind kind, struct str text)
{
	const struct base64_alphabet *alphabet = &alphabets[kind];
	size_t before = out->len;

	if (alphabet->is_padded && !strip_padding(&text))
		return -1;
	if (text.len % 4 == 1)
		return -1;
	size_t len = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
	uint8_t *to = buf_reserve(out, len);
	if (!to)
		return fail_back(out, before);
	while (text.len) {
		struct str digits = str_first(text, 4);
		if (!decode_group(alphabet, digits, to))
			return fail_back(out, before);
		to += digits.len - 1;
		text = str_from_pos(text, digits.len);
	}
	buf_commit(out, len);
	return 0;
}

int hex_encode(struct buf *out, const void *data, size_t len)
{
	const uint8_t *from = data;
	size_t text_len;

	if (__builtin_mul_overflow(len, 2u, &text_len))
		return -1;
	uint8_t *to = buf_reserve(out, text_len);
	if (!to)
		return -1;
	for (size_t i = 0; i < len; i++) {
		*to++ = (uint8_t)hex_lower[from[i] >> 4];
		*to++ = (uint8_t)hex_lower[from[i] & 0x0f];
	}
	buf_commit(out, text_len);
	return 0;
}

static int hex_digit(char c, bool allow_upper)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return allow_upper && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_decode(struct buf *out, struct str text)
{
	if (text.len % 2)
		return -1;
	uint8_t *to = buf_reserve(out, text.len / 2);
	if (!to)
		return -1;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_digit(text.at[i], false);
		int low = hex_digit(text.at[i + 1], false);
		if (high < 0 || low < 0)
			return -1;
		*to++ = (uint8_t)(high << 4 | low);
	}
	buf_commit(out, text.len / 2);
	return 0;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

static int escape_byte(struct buf *out, char c)
{
	unsigned char byte = (unsigned char)c;
	char escaped[3] = { '%', hex_upper[byte >> 4], hex_upper[byte & 0x0f] };

	if (is_unreserved(c))
		return buf_append_char(out, c);
	return c == ' ' ? buf_append_char(out, '+') : buf_append(out, escaped, sizeof(escaped));
}

int query_escape(struct buf *out, struct str text)
{
	size_t before = out->len;

	for (size_t i = 0; i < text.len; i++) {
		if (escape_byte(out, text.at[i]) < 0)
			return fail_back(out, before);
	}
	return 0;
}

/* The byte at the start of text and how many bytes it takes there; 0 if it is broken. */
static size_t unescape_byte(struct str text, char *ret_byte)
{
	if (text.at[0] != '%') {
		*ret_byte = text.at[0] == '+' ? ' ' : text.at[0];
		return 1;
	}
	int high = text.len > 2 ? hex_digit(text.at[1], true) : -1;
	int low = text.len > 2 ? hex_digit(text.at[2], true) : -1;
	if (high < 0 || low < 0)
		return 0;
	*ret_byte = (char)(high << 4 | low);
	return 3;
}

int query_unescape(struct buf *out, struct str text)
{
	size_t before = out->len;
	char byte;

	while (text.len) {
		size_t taken = unescape_byte(text, &byte);
		if (!taken || byte == '\0' || buf_append_char(out, byte) < 0)
			return fail_back(out, before);
		text = str_from_pos(text, taken);
	}
	return 0;
}

static struct str html_reference(char c)
{
	switch (c) {
	case '&':
		return STR("&amp;");
	case '<':
		return STR("&lt;");
	case '>':
		return STR("&gt;");
	case '"':
		return STR("&#34;");
	case '\'':
		return STR("&#39;");
	default:
		return (struct str){ 0 };
	}
}

int html_escape(struct buf *out, struct str text)
{
	size_t before = out->len;

	for (size_t i = 0; i < text.len; i++) {
		struct str reference = html_reference(text.at[i]);
		int rc = reference.len ? buf_append_str(out, reference)
				       : buf_append_char(out, text.at[i]);
		if (rc < 0)
			return fail_back(out, before);
	}
	return 0;
}
