#include "http/h1_parse.h"

#include "http/http_chars.h"

/*
 * The scanner is a state machine over bytes, so that a head that trickles in costs one look per
 * byte and a peer that speaks something else (a TLS hello, a bare LF, a folded line) is refused
 * at the first byte that shows it. Its verdict does not depend on how the bytes were cut.
 * h1_parse.c does not rely on it for anything but the length.
 */

enum scan_state {
	SCAN_BEGIN,   /* before the first byte; zero, as in a fresh scanner */
	SCAN_START,   /* in the start line */
	SCAN_NAME,    /* in a header name */
	SCAN_VALUE,   /* in a header value */
	SCAN_LINE_LF, /* after the CR of a line */
	SCAN_NEXT,    /* at the beginning of a line behind the start line */
	SCAN_END_LF,  /* after the CR of the blank line */
	SCAN_DONE,
	SCAN_BAD,
	SCAN_TOO_LARGE,
};

static enum scan_state scan_first(unsigned char c)
{
	return http_is_token_char(c) ? SCAN_START : SCAN_BAD;
}

static enum scan_state scan_text(enum scan_state state, unsigned char c)
{
	if (c == '\r')
		return SCAN_LINE_LF;
	return http_is_text_char(c) ? state : SCAN_BAD;
}

static enum scan_state scan_name(unsigned char c)
{
	if (c == ':')
		return SCAN_VALUE;
	return http_is_token_char(c) ? SCAN_NAME : SCAN_BAD;
}

static enum scan_state scan_next(struct h1_scanner *scanner, unsigned char c)
{
	if (c == '\r')
		return SCAN_END_LF;
	if (!http_is_token_char(c))
		return SCAN_BAD;
	if (scanner->line_count == HTTP_HEADERS_MAX)
		return SCAN_TOO_LARGE;
	scanner->line_count++;
	return SCAN_NAME;
}

static enum scan_state scan_byte(struct h1_scanner *scanner, unsigned char c)
{
	enum scan_state state = scanner->state;

	if (scanner->scanned == HTTP_HEAD_MAX)
		return SCAN_TOO_LARGE;
	switch (state) {
	case SCAN_BEGIN:
		return scan_first(c);
	case SCAN_START:
	case SCAN_VALUE:
		return scan_text(state, c);
	case SCAN_NAME:
		return scan_name(c);
	case SCAN_LINE_LF:
		return c == '\n' ? SCAN_NEXT : SCAN_BAD;
	case SCAN_NEXT:
		return scan_next(scanner, c);
	case SCAN_END_LF:
		return c == '\n' ? SCAN_DONE : SCAN_BAD;
	case SCAN_DONE:
	case SCAN_BAD:
	case SCAN_TOO_LARGE:
		break;
	}
	return state;
}

static const char *describe(enum scan_state before)
{
	switch (before) {
	case SCAN_BEGIN:
		return "no HTTP message begins with it";
	case SCAN_NAME:
		return "it does not belong into a header name";
	case SCAN_NEXT:
		return "no header line begins with it";
	case SCAN_LINE_LF:
	case SCAN_END_LF:
		return "a CR must be followed by LF";
	case SCAN_START:
	case SCAN_VALUE:
	case SCAN_DONE:
	case SCAN_BAD:
	case SCAN_TOO_LARGE:
		break;
	}
	return "control characters are not allowed";
}

static enum h1_scan say_too_large(struct err *e)
{
	(void)err_set(e, ERR_LIMIT, "the head is larger than %u bytes or has more than %d headers",
		      HTTP_HEAD_MAX, HTTP_HEADERS_MAX); /* the caller gets an enum */
	return H1_SCAN_TOO_LARGE;
}

static enum h1_scan say_bad(enum scan_state before, unsigned char c, size_t at, struct err *e)
{
	(void)err_set(e, ERR_PROTOCOL, "byte 0x%02x at position %zu of the head: %s", c, at,
		      describe(before)); /* the caller gets an enum */
	return H1_SCAN_BAD;
}

enum h1_scan h1_scan(struct h1_scanner *scanner, struct str data, size_t *ret_head_len,
		     struct err *e)
{
	while (scanner->state != SCAN_DONE && scanner->scanned < data.len) {
		enum scan_state before = scanner->state;
		unsigned char c = (unsigned char)data.at[scanner->scanned];

		scanner->state = scan_byte(scanner, c);
		if (scanner->state == SCAN_TOO_LARGE)
			return say_too_large(e);
		if (scanner->state == SCAN_BAD)
			return say_bad(before, c, scanner->scanned, e);
		scanner->scanned++;
	}
	if (scanner->state != SCAN_DONE)
		return H1_SCAN_MORE;
	*ret_head_len = scanner->scanned;
	return H1_SCAN_COMPLETE;
}
