#include "http/h1_parse.h"

#include <assert.h>

#include "base/buf.h"
#include "http/http_chars.h"

/*
 * Chunked framing is a state machine over bytes; content is copied in runs. Of the grammar of RFC
 * 9112 section 7.1 everything is checked and nothing but the sizes is used: extensions and
 * trailers are bounded and dropped. Blanks behind a chunk size are refused, although some accept
 * them: they are how requests are smuggled.
 */

#define CHUNK_DIGITS_MAX    16
#define CHUNK_EXTENSION_MAX 256
#define TRAILERS_MAX        8192

enum chunk_state {
	CHUNK_SIZE, /* zero, as in a fresh decoder */
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_LINE, /* at the beginning of a line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILERS_END_LF,
	CHUNK_BAD,
};

/* ---- which framing ---- */

struct framing {
	size_t length_count;
	size_t encoding_count;
	uint64_t length;
};

static int read_framing(const struct http_headers *headers, unsigned minor_version,
			struct framing *ret, struct err *e)
{
	struct framing f = { 0 };

	for (size_t i = 0; i < headers->count; i++) {
		struct str name = headers->items[i].name;
		struct str value = headers->items[i].value;

		if (str_equal_nocase(name, STR("content-length"))) {
			f.length_count++;
			if (!str_to_uint64(value, &f.length))
				return err_set(e, ERR_PROTOCOL, "Content-Length is not a number");
		}
		if (str_equal_nocase(name, STR("transfer-encoding"))) {
			f.encoding_count++;
			if (!str_equal_nocase(value, STR("chunked")))
				return err_set(e, ERR_PROTOCOL,
					       "Transfer-Encoding is not \"chunked\"");
		}
	}
	if (f.length_count + f.encoding_count > 1)
		return err_set(e, ERR_PROTOCOL,
			       "more than one Content-Length or Transfer-Encoding");
	if (f.encoding_count > 0 && minor_version == 0)
		return err_set(e, ERR_PROTOCOL, "Transfer-Encoding in an HTTP/1.0 message");
	*ret = f;
	return 0;
}

static struct h1_body body_of_framing(const struct framing *f, enum h1_body_kind otherwise)
{
	if (f->encoding_count > 0)
		return (struct h1_body){ .kind = H1_BODY_CHUNKED };
	if (f->length_count > 0)
		return (struct h1_body){ .kind = H1_BODY_LENGTH,
					 .left = f->length,
					 .is_complete = f->length == 0 };
	return (struct h1_body){ .kind = otherwise, .is_complete = otherwise == H1_BODY_NONE };
}

int h1_body_of_request(struct h1_body *b, const struct http_request *request, struct err *e)
{
	struct framing f;

	if (read_framing(&request->headers, request->minor_version, &f, e))
		return -1;
	if (request->is_connect && (f.encoding_count > 0 || f.length > 0))
		return err_set(e, ERR_PROTOCOL, "a request for a tunnel announces a body");
	*b = body_of_framing(&f, H1_BODY_NONE);
	return 0;
}

static bool has_no_body(struct str method, int status)
{
	if (str_equal(method, STR("HEAD")) || status < 200 || status == 204 || status == 304)
		return true;
	return str_equal(method, STR("CONNECT")) && status < 300;
}

int h1_body_of_response(struct h1_body *b, struct str method, const struct h1_response_head *head,
			struct err *e)
{
	struct framing f;

	if (has_no_body(method, head->status)) {
		*b = (struct h1_body){ .kind = H1_BODY_NONE, .is_complete = true };
		return 0;
	}
	if (read_framing(&head->headers, head->minor_version, &f, e))
		return -1;
	*b = body_of_framing(&f, H1_BODY_UNTIL_END);
	return 0;
}

/* ---- chunks ---- */

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum chunk_state enter(struct h1_body *b, enum chunk_state state)
{
	b->overhead = 0;
	return state;
}

static enum chunk_state step_size(struct h1_body *b, unsigned char c)
{
	int digit = hex_value(c);

	if (digit >= 0) {
		/* Sixteen digits fill the 64 bits exactly: the count is the overflow check. */
		if (b->overhead == CHUNK_DIGITS_MAX)
			return CHUNK_BAD;
		b->overhead++;
		b->left = b->left << 4 | (uint64_t)digit;
		return CHUNK_SIZE;
	}
	if (b->overhead == 0)
		return CHUNK_BAD;
	if (c == '\r')
		return CHUNK_SIZE_LF;
	return c == ';' ? enter(b, CHUNK_EXTENSION) : CHUNK_BAD;
}

static enum chunk_state step_extension(struct h1_body *b, unsigned char c)
{
	if (c == '\r')
		return CHUNK_SIZE_LF;
	if (!http_is_text_char(c) || ++b->overhead > CHUNK_EXTENSION_MAX)
		return CHUNK_BAD;
	return CHUNK_EXTENSION;
}

static enum chunk_state step_size_lf(struct h1_body *b, unsigned char c)
{
	if (c != '\n')
		return CHUNK_BAD;
	return enter(b, b->left > 0 ? CHUNK_DATA : TRAILER_LINE);
}

static enum chunk_state step_trailer(struct h1_body *b, enum chunk_state state, unsigned char c)
{
	if (++b->overhead > TRAILERS_MAX)
		return CHUNK_BAD;
	if (state == TRAILER_LF)
		return c == '\n' ? TRAILER_LINE : CHUNK_BAD;
	if (state == TRAILER_VALUE) {
		if (c == '\r')
			return TRAILER_LF;
		return http_is_text_char(c) ? TRAILER_VALUE : CHUNK_BAD;
	}
	if (state == TRAILER_LINE && c == '\r')
		return TRAILERS_END_LF;
	if (state == TRAILER_NAME && c == ':')
		return TRAILER_VALUE;
	return http_is_token_char(c) ? TRAILER_NAME : CHUNK_BAD;
}

static enum chunk_state step_framing(struct h1_body *b, unsigned char c)
{
	enum chunk_state state = b->state;

	switch (state) {
	case CHUNK_SIZE:
		return step_size(b, c);
	case CHUNK_EXTENSION:
		return step_extension(b, c);
	case CHUNK_SIZE_LF:
		return step_size_lf(b, c);
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
	case CHUNK_DATA_LF:
		return c == '\n' ? enter(b, CHUNK_SIZE) : CHUNK_BAD;
	case TRAILER_LINE:
	case TRAILER_NAME:
	case TRAILER_VALUE:
	case TRAILER_LF:
		return step_trailer(b, state, c);
	case TRAILERS_END_LF:
		b->is_complete = c == '\n';
		return b->is_complete ? TRAILERS_END_LF : CHUNK_BAD;
	case CHUNK_DATA:
	case CHUNK_BAD:
		break;
	}
	return CHUNK_BAD;
}

/* Moves content of which b->left bytes are still to come. */
static int copy_content(struct h1_body *b, struct str data, size_t *ret_copied, struct buf *out,
			struct err *e)
{
	size_t len = b->left < data.len ? (size_t)b->left : data.len;

	if (len > 0 && buf_append(out, data.at, len))
		return err_set(e, ERR_LIMIT, "the body is larger than %zu bytes", out->max);
	b->left -= len;
	*ret_copied = len;
	return 0;
}

static int decode_chunked(struct h1_body *b, struct str data, size_t *ret_consumed, struct buf *out,
			  struct err *e)
{
	size_t at = 0;

	while (at < data.len && !b->is_complete) {
		size_t copied;

		if (b->state != CHUNK_DATA) {
			b->state = step_framing(b, (unsigned char)data.at[at]);
			if (b->state == CHUNK_BAD)
				return err_set(e, ERR_PROTOCOL,
					       "the chunked framing of the body is broken");
			at++;
			continue;
		}
		if (copy_content(b, str_from_pos(data, at), &copied, out, e))
			return -1;
		at += copied;
		if (b->left == 0)
			b->state = CHUNK_DATA_CR;
	}
	*ret_consumed = at;
	return 0;
}

static int decode_until_end(struct str data, size_t *ret_consumed, struct buf *out, struct err *e)
{
	if (data.len > 0 && buf_append(out, data.at, data.len))
		return err_set(e, ERR_LIMIT, "the body is larger than %zu bytes", out->max);
	*ret_consumed = data.len;
	return 0;
}

int h1_body_decode(struct h1_body *b, struct str data, size_t *ret_consumed, struct buf *out,
		   struct err *e)
{
	switch (b->kind) {
	case H1_BODY_NONE:
		*ret_consumed = 0;
		return 0;
	case H1_BODY_LENGTH:
		if (copy_content(b, data, ret_consumed, out, e))
			return -1;
		b->is_complete = b->left == 0;
		return 0;
	case H1_BODY_CHUNKED:
		return decode_chunked(b, data, ret_consumed, out, e);
	case H1_BODY_UNTIL_END:
		return decode_until_end(data, ret_consumed, out, e);
	}
	assert(false); /* every kind was handled */
	return -1;
}
