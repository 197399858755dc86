#include "http/capsule.h"

#include <assert.h>

/*
 * Three numbers are read byte by byte, then the value: a packet that lies in the bytes at hand as a whole is returned where it
 * is; another one is put together in a buffer of its size at most. Which of the numbers comes next depends on the type: only a
 * DATAGRAM has a context.
 */

#define TYPE_DATAGRAM 0

enum step { STEP_TYPE, STEP_LENGTH, STEP_CONTEXT, STEP_PACKET, STEP_SKIP, STEP_BROKEN };

/* ---- writing ---- */

size_t varint_write(uint8_t out[VARINT_MAX_LEN], uint64_t value)
{
	unsigned log = value < 64 ? 0 : value < 16384 ? 1 : value < 1u << 30 ? 2 : 3;
	size_t len = (size_t)1 << log;

	assert(value < (uint64_t)1 << 62);
	for (size_t i = len; i > 0; i--) {
		out[i - 1] = (uint8_t)(value & 0xff);
		value >>= 8;
	}
	out[0] |= (uint8_t)(log << 6);
	return len;
}

size_t capsule_write_header(uint8_t out[CAPSULE_HEADER_MAX], size_t packet_len)
{
	uint8_t number[VARINT_MAX_LEN];
	size_t len = varint_write(number, packet_len + 1);

	assert(packet_len <= CAPSULE_PACKET_MAX);
	out[0] = TYPE_DATAGRAM;
	for (size_t i = 0; i < len; i++)
		out[1 + i] = number[i];
	out[1 + len] = 0; /* context */
	return len + 2;
}

/* ---- reading ---- */

static enum capsule_read fail(struct capsule_reader *r, struct err *e, const char *what)
{
	r->step = STEP_BROKEN;
	(void)err_set(e, ERR_PROTOCOL, "%s", what);
	return CAPSULE_BROKEN;
}

static uint8_t take_byte(struct str *data)
{
	uint8_t byte = (uint8_t)data->at[0];

	*data = str_from_pos(*data, 1);
	return byte;
}

/* The first byte of a number tells its length. Returns true when it is complete. */
static bool take_number_byte(struct capsule_reader *r, struct str *data)
{
	uint8_t byte = take_byte(data);

	if (r->varint_missing == 0) {
		r->varint = byte & 0x3f;
		r->varint_missing = (1u << (byte >> 6)) - 1;
	} else {
		r->varint = r->varint << 8 | byte;
		r->varint_missing--;
	}
	return r->varint_missing == 0;
}

static void begin_value(struct capsule_reader *r)
{
	r->left = r->varint;
	r->step = STEP_SKIP;
	if (r->type == TYPE_DATAGRAM)
		r->step = STEP_CONTEXT;
	else if (r->left == 0)
		r->step = STEP_TYPE;
}

/* The number is part of the value. */
static enum capsule_read read_context(struct capsule_reader *r, struct str *data, struct err *e)
{
	if (r->left == 0)
		return fail(r, e, "a datagram capsule ends before its context");
	r->left--;
	if (!take_number_byte(r, data))
		return CAPSULE_MORE;
	if (r->varint != 0) {
		r->step = r->left > 0 ? STEP_SKIP : STEP_TYPE;
		return CAPSULE_MORE;
	}
	if (r->left > CAPSULE_PACKET_MAX)
		return fail(r, e, "a datagram capsule is larger than a UDP packet can be");
	r->step = STEP_PACKET;
	return CAPSULE_MORE;
}

static void skip(struct capsule_reader *r, struct str *data)
{
	size_t len = r->left < data->len ? (size_t)r->left : data->len;

	*data = str_from_pos(*data, len);
	r->left -= len;
	if (r->left == 0)
		r->step = STEP_TYPE;
}

static enum capsule_read read_packet(struct capsule_reader *r, struct str *data,
				     struct str *ret_packet)
{
	size_t len = r->left < data->len ? (size_t)r->left : data->len;
	struct str part = str_first(*data, len);

	*data = str_from_pos(*data, len);
	r->left -= len;
	if (r->left == 0 && r->partial.len == 0) {
		*ret_packet = part;
		r->step = STEP_TYPE;
		return CAPSULE_PACKET;
	}
	r->partial.max = CAPSULE_PACKET_MAX;
	(void)buf_append_str(&r->partial, part); /* its length was checked */
	if (r->left > 0)
		return CAPSULE_MORE;
	*ret_packet = buf_view(&r->partial);
	r->is_delivered = true;
	r->step = STEP_TYPE;
	return CAPSULE_PACKET;
}

/* One byte of a number, or all there is of a value. */
static enum capsule_read step(struct capsule_reader *r, struct str *data, struct str *ret_packet,
			      struct err *e)
{
	enum step at = r->step;

	switch (at) {
	case STEP_TYPE:
		if (take_number_byte(r, data)) {
			r->type = r->varint;
			r->step = STEP_LENGTH;
		}
		return CAPSULE_MORE;
	case STEP_LENGTH:
		if (!take_number_byte(r, data))
			return CAPSULE_MORE;
		if (r->type == TYPE_DATAGRAM && r->varint == 0)
			return fail(r, e, "a datagram capsule has no context");
		begin_value(r);
		return CAPSULE_MORE;
	case STEP_CONTEXT:
		return read_context(r, data, e);
	case STEP_PACKET:
		return read_packet(r, data, ret_packet);
	case STEP_SKIP:
		skip(r, data);
		return CAPSULE_MORE;
	case STEP_BROKEN:
		break;
	}
	return fail(r, e, "the capsules are broken");
}

/* An empty packet is complete with its context, and needs no byte more. */
static bool has_empty_packet(const struct capsule_reader *r)
{
	return r->step == STEP_PACKET && r->left == 0;
}

enum capsule_read capsule_read(struct capsule_reader *r, struct str *data, struct str *ret_packet,
			       struct err *e)
{
	enum capsule_read result = CAPSULE_MORE;

	if (r->is_delivered)
		capsule_reader_done(r);
	while (result == CAPSULE_MORE && (data->len > 0 || has_empty_packet(r)))
		result = step(r, data, ret_packet, e);
	return result;
}

void capsule_reader_done(struct capsule_reader *r)
{
	buf_done(&r->partial);
	r->is_delivered = false;
}
