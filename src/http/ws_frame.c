#include "http/ws_frame.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"

/*
 * The header is put together byte by byte until it is as long as its own second byte says; then it is checked as a whole.
 * Payload of data is handed out where it lies; that of control frames goes into the reader.
 */

#define BIT_FINAL  0x80u
#define BIT_MASK   0x80u
#define BITS_RSV   0x70u
#define LEN_16     126
#define LEN_64     127
#define LEN_16_MIN 126
#define LEN_64_MIN 65536

#define IS_CONTROL(opcode) ((opcode) >= WS_CLOSE)

/* ---- writing ---- */

static size_t write_len(uint8_t *out, uint64_t len)
{
	size_t count = len < LEN_16_MIN ? 0 : len < LEN_64_MIN ? 2 : 8;

	out[0] = count == 0 ? (uint8_t)len : count == 2 ? LEN_16 : LEN_64;
	for (size_t i = count; i > 0; i--) {
		out[i] = (uint8_t)(len & 0xff);
		len >>= 8;
	}
	return 1 + count;
}

size_t ws_frame_write_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len,
			     const uint8_t *mask)
{
	size_t end;

	assert(len >> 63 == 0 && (!IS_CONTROL(opcode) || len <= WS_CONTROL_MAX));
	out[0] = (uint8_t)(BIT_FINAL | (unsigned)opcode);
	end = 1 + write_len(out + 1, len);
	if (!mask)
		return end;
	out[1] |= BIT_MASK;
	memcpy(out + end, mask, WS_MASK_LEN);
	return end + WS_MASK_LEN;
}

void ws_mask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t mask[WS_MASK_LEN],
	     uint64_t at)
{
	uint8_t turned[8];
	uint64_t word;
	uint64_t key;
	size_t i;

	for (i = 0; i < sizeof(turned); i++)
		turned[i] = mask[(at + i) % WS_MASK_LEN];
	memcpy(&key, turned, sizeof(key));
	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, from + i, sizeof(word));
		word ^= key;
		memcpy(to + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		to[i] = from[i] ^ turned[i % sizeof(turned)];
}

/* ---- reading ---- */

static enum ws_event fail(struct ws_reader *r, enum ws_close_code code,
			  enum ws_close_code *ret_code, struct err *e, const char *what)
{
	r->is_over = true;
	*ret_code = code;
	(void)err_set(e, ERR_PROTOCOL, "WebSocket: %s", what);
	return WS_EVENT_BROKEN;
}

static size_t len_of_len(const struct ws_reader *r)
{
	unsigned len = r->header[1] & 0x7fu;

	return len == LEN_16 ? 2 : len == LEN_64 ? 8 : 0;
}

/* False: there is more of it to come. */
static bool take_header(struct ws_reader *r, struct ws_bytes *data)
{
	while (data->len > 0) {
		size_t wanted;

		r->header[r->header_len++] = *data->at++;
		data->len--;
		if (r->header_len < 2)
			continue;
		wanted = 2 + len_of_len(r) + (r->header[1] & BIT_MASK ? WS_MASK_LEN : 0);
		if (r->header_len == wanted)
			return true;
	}
	return false;
}

static uint64_t read_len(const struct ws_reader *r)
{
	size_t count = len_of_len(r);
	uint64_t len = 0;

	if (count == 0)
		return r->header[1] & 0x7fu;
	for (size_t i = 0; i < count; i++)
		len = len << 8 | r->header[2 + i];
	return len;
}

static bool is_shortest(const struct ws_reader *r)
{
	switch (len_of_len(r)) {
	case 2:
		return r->left >= LEN_16_MIN;
	case 8:
		return r->left >= LEN_64_MIN && r->left >> 63 == 0;
	default:
		return true;
	}
}

/* NULL: nothing is wrong with it. */
static const char *problem_of_header(const struct ws_reader *r)
{
	bool is_masked = r->header[1] & BIT_MASK;

	if (r->header[0] & BITS_RSV)
		return "a reserved bit is set";
	if (is_masked != r->expects_mask)
		return is_masked ? "a server's frame is masked" : "a client's frame is not masked";
	if (!is_shortest(r))
		return "a length is not in its shortest form";
	switch (r->opcode) {
	case WS_CONTINUATION:
		return r->is_in_message ? NULL : "a continuation of nothing";
	case WS_TEXT:
	case WS_BINARY:
		return r->is_in_message ? "a message begins inside a message" : NULL;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!r->is_final)
			return "a control frame is fragmented";
		return r->left > WS_CONTROL_MAX ? "a control frame is too long" : NULL;
	default:
		return "an unknown kind of frame";
	}
}

static void begin_payload(struct ws_reader *r)
{
	memset(r->mask, 0, sizeof(r->mask));
	if (r->expects_mask)
		memcpy(r->mask, r->header + r->header_len - WS_MASK_LEN, WS_MASK_LEN);
	r->header_len = 0;
	r->control_len = 0;
	r->at = 0;
	r->is_in_frame = true;
	if (!IS_CONTROL(r->opcode))
		r->is_in_message = !r->is_final;
}

static enum ws_event read_header(struct ws_reader *r, struct ws_bytes *data,
				 enum ws_close_code *ret_code, struct err *e)
{
	const char *problem;

	if (!take_header(r, data))
		return WS_EVENT_MORE;
	r->opcode = r->header[0] & 0x0f;
	r->is_final = r->header[0] & BIT_FINAL;
	r->left = read_len(r);
	problem = problem_of_header(r);
	if (problem)
		return fail(r, WS_CLOSE_PROTOCOL_ERROR, ret_code, e, problem);
	if (r->opcode == WS_TEXT)
		return fail(r, WS_CLOSE_UNSUPPORTED_DATA, ret_code, e,
			    "text, where a tunnel takes binary messages only");
	begin_payload(r);
	if (r->left > 0 || IS_CONTROL(r->opcode))
		return WS_EVENT_MORE;
	r->is_in_frame = false;
	return WS_EVENT_EMPTY;
}

/* All there is of it; at least one byte. */
static struct ws_bytes take_payload(struct ws_reader *r, struct ws_bytes *data)
{
	size_t len = r->left < data->len ? (size_t)r->left : data->len;
	struct ws_bytes piece = { .at = data->at, .len = len };

	if (r->expects_mask)
		ws_mask(piece.at, piece.at, len, r->mask, r->at);
	data->at += len;
	data->len -= len;
	r->at += len;
	r->left -= len;
	r->is_in_frame = r->left > 0;
	return piece;
}

static bool is_utf8(struct str s)
{
	uint32_t code_point;

	while (s.len > 0) {
		size_t len = utf8_decode(s, &code_point);

		if (len == 0)
			return false;
		s = str_from_pos(s, len);
	}
	return true;
}

/* Section 7.4, and what the registry of close codes has added. */
static bool may_be_sent(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

static enum ws_event read_close(struct ws_reader *r, enum ws_close_code *ret_code, struct err *e)
{
	unsigned code = WS_CLOSE_NO_STATUS;

	if (r->control_len == 1)
		return fail(r, WS_CLOSE_PROTOCOL_ERROR, ret_code, e, "half a close code");
	if (r->control_len >= 2) {
		code = (unsigned)r->control[0] << 8 | r->control[1];
		if (!may_be_sent(code) ||
		    !is_utf8(str_of(r->control + 2, (size_t)r->control_len - 2)))
			return fail(r, WS_CLOSE_PROTOCOL_ERROR, ret_code, e,
				    "a close code or a reason that cannot be");
	}
	r->is_over = true;
	*ret_code = (enum ws_close_code)code;
	return WS_EVENT_CLOSED;
}

static enum ws_event read_control(struct ws_reader *r, struct ws_bytes *data,
				  struct ws_bytes *ret_payload, enum ws_close_code *ret_code,
				  struct err *e)
{
	if (r->left > 0) {
		struct ws_bytes piece = take_payload(r, data);

		memcpy(r->control + r->control_len, piece.at, piece.len); /* fits: checked */
		r->control_len = (uint8_t)(r->control_len + piece.len);
	}
	if (r->left > 0)
		return WS_EVENT_MORE;
	r->is_in_frame = false;
	*ret_payload = (struct ws_bytes){ .at = r->control, .len = r->control_len };
	switch (r->opcode) {
	case WS_PING:
		return WS_EVENT_PING;
	case WS_PONG:
		return WS_EVENT_PONG;
	default:
		return read_close(r, ret_code, e);
	}
}

/* A control frame without payload is complete with its header, and needs no byte more. */
static bool has_empty_control(const struct ws_reader *r)
{
	return r->is_in_frame && r->left == 0;
}

enum ws_event ws_read(struct ws_reader *r, struct ws_bytes *data, struct ws_bytes *ret_payload,
		      enum ws_close_code *ret_code, struct err *e)
{
	enum ws_event event = WS_EVENT_MORE;

	if (r->is_over)
		return fail(r, WS_CLOSE_PROTOCOL_ERROR, ret_code, e, "frames behind the last one");
	while (event == WS_EVENT_MORE && (data->len > 0 || has_empty_control(r))) {
		if (!r->is_in_frame) {
			event = read_header(r, data, ret_code, e);
		} else if (IS_CONTROL(r->opcode)) {
			event = read_control(r, data, ret_payload, ret_code, e);
		} else {
			*ret_payload = take_payload(r, data);
			event = WS_EVENT_DATA;
		}
	}
	return event;
}
