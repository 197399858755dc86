/*
 * json.c - appends to a buf whose sticky overflow flag stands for every failure
 */

#include "base/json.h"

#include <inttypes.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The buf remembers a failed append; the caller looks there once at the end. */
static void put(struct json_writer *w, struct str text)
{
	(void)buf_append_str(w->out, text);
}

static void put_separator(struct json_writer *w)
{
	if (w->needs_comma)
		put(w, STR(","));
	w->needs_comma = true;
}

void json_object_begin(struct json_writer *w)
{
	put_separator(w);
	put(w, STR("{"));
	w->needs_comma = false;
}

void json_object_end(struct json_writer *w)
{
	put(w, STR("}"));
	w->needs_comma = true;
}

void json_array_begin(struct json_writer *w)
{
	put_separator(w);
	put(w, STR("["));
	w->needs_comma = false;
}

void json_array_end(struct json_writer *w)
{
	put(w, STR("]"));
	w->needs_comma = true;
}

/* The short escape of a byte, or empty. */
static struct str short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return STR("\\\"");
	case '\\':
		return STR("\\\\");
	case '\b':
		return STR("\\b");
	case '\f':
		return STR("\\f");
	case '\n':
		return STR("\\n");
	case '\r':
		return STR("\\r");
	case '\t':
		return STR("\\t");
	default:
		return (struct str){ 0 };
	}
}

static bool is_plain(const struct json_writer *w, unsigned char c)
{
	if (c < 0x20 || c > 0x7f || c == '"' || c == '\\')
		return false;
	return !(w->escape_html && (c == '<' || c == '>' || c == '&'));
}

/* Writes the character at the start of text, which is not plain; returns its length. */
static size_t put_special(struct json_writer *w, struct str text)
{
	unsigned char c = (unsigned char)text.at[0];
	uint32_t code_point;
	struct str escape = short_escape(c);

	if (escape.len) {
		put(w, escape);
		return 1;
	}
	if (c < 0x80) {
		(void)buf_printf(w->out, "\\u%04x", (unsigned int)c); /* as put() */
		return 1;
	}
	size_t len = utf8_decode(text, &code_point);
	put(w, len ? str_first(text, len) : STR(REPLACEMENT));
	return len ? len : 1;
}

static void put_quoted(struct json_writer *w, struct str text)
{
	size_t plain = 0;

	put(w, STR("\""));
	while (plain < text.len) {
		if (is_plain(w, (unsigned char)text.at[plain])) {
			plain++;
			continue;
		}
		put(w, str_first(text, plain));
		text = str_from_pos(text, plain);
		text = str_from_pos(text, put_special(w, text));
		plain = 0;
	}
	put(w, text);
	put(w, STR("\""));
}

void json_key(struct json_writer *w, struct str key)
{
	put_separator(w);
	put_quoted(w, key);
	put(w, STR(":"));
	w->needs_comma = false;
}

void json_text(struct json_writer *w, struct str value)
{
	put_separator(w);
	put_quoted(w, value);
}

void json_int(struct json_writer *w, int64_t value)
{
	put_separator(w);
	(void)buf_printf(w->out, "%" PRId64, value); /* as put() */
}

void json_uint(struct json_writer *w, uint64_t value)
{
	put_separator(w);
	(void)buf_printf(w->out, "%" PRIu64, value); /* as put() */
}

void json_bool(struct json_writer *w, bool value)
{
	put_separator(w);
	put(w, value ? STR("true") : STR("false"));
}

void json_thousandths(struct json_writer *w, uint64_t thousandths)
{
	put_separator(w);
	/* as put() */
	(void)buf_printf(w->out, "%" PRIu64 ".%03" PRIu64, thousandths / 1000, thousandths % 1000);
}
