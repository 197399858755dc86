#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/ws_frame.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"

/* ---- what a reader reports, as text ---- */

static void append_payload(struct buf *out, const char *name, const struct ws_bytes *payload)
{
	(void)buf_printf(out, "%s(%.*s) ", name, (int)payload->len, (const char *)payload->at);
}

/* False: the end. */
static bool report(struct buf *out, enum ws_event event, const struct ws_bytes *payload,
		   enum ws_close_code code)
{
	switch (event) {
	case WS_EVENT_MORE:
		return false;
	case WS_EVENT_DATA: /* pieces are told as one */
		if (out->len > 0 && out->data[out->len - 1] != ' ')
			(void)buf_append(out, payload->at, payload->len);
		else
			(void)buf_printf(out, "+%.*s", (int)payload->len,
					 (const char *)payload->at);
		return true;
	case WS_EVENT_EMPTY:
		(void)buf_append_str(out, STR(" empty "));
		return true;
	case WS_EVENT_PING:
		append_payload(out, " ping", payload);
		return true;
	case WS_EVENT_PONG:
		append_payload(out, " pong", payload);
		return true;
	case WS_EVENT_CLOSED:
		(void)buf_printf(out, " closed(%d)", (int)code);
		return false;
	case WS_EVENT_BROKEN:
		(void)buf_printf(out, " broken(%d)", (int)code);
		return false;
	}
	return false;
}

/* In pieces of that size. */
static void read_all(struct buf *out, bool expects_mask, const void *bytes, size_t len,
		     size_t piece)
{
	struct ws_reader r = { .expects_mask = expects_mask };
	uint8_t copy[512];

	assert_true(len <= sizeof(copy));
	memcpy(copy, bytes, len);
	for (size_t at = 0; at < len && !r.is_over; at += piece) {
		struct ws_bytes data = { copy + at, len - at < piece ? len - at : piece };
		struct ws_bytes payload = { 0 };
		enum ws_close_code code = 0;
		struct err e = { 0 };

		for (;;) {
			enum ws_event event = ws_read(&r, &data, &payload, &code, &e);

			if (!report(out, event, &payload, code))
				break;
		}
		assert_true(data.len == 0 || r.is_over);
	}
}

struct read_case {
	const char *bytes;
	size_t len;
	bool from_client;
	const char *wanted;
};

#define CASE(from, text, want)                                                                     \
	{                                                                                          \
		.bytes = (text), .len = sizeof(text) - 1, .from_client = (from), .wanted = (want)  \
	}
#define CLIENT(text, want) CASE(true, text, want)
#define SERVER(text, want) CASE(false, text, want)

#define ZERO_MASK "\0\0\0\0"

static const struct read_case read_cases[] = {
	/* RFC 6455 section 5.7, text made binary where it is data */
	SERVER("\x82\x05\x48\x65\x6c\x6c\x6f", "+Hello"),
	CLIENT("\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "+Hello"),
	SERVER("\x02\x03\x48\x65\x6c\x80\x02\x6c\x6f", "+Hello"),
	SERVER("\x89\x05\x48\x65\x6c\x6c\x6f", " ping(Hello) "),
	CLIENT("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", " pong(Hello) "),
	/* a ping inside a message, empty frames, an empty ping */
	SERVER("\x02\x01"
	       "a\x89\0\x00\x01"
	       "b\x80\x01"
	       "c",
	       "+a ping() +bc"),
	SERVER("\x02\0\0\0\x80\0\x82\0", " empty  empty  empty  empty "),
	SERVER("\x82\x7e\0\x7e"
	       "12345678901234567890123456789012345678901234567890123456789012"
	       "12345678901234567890123456789012345678901234567890123456789012AB",
	       "+12345678901234567890123456789012345678901234567890123456789012"
	       "12345678901234567890123456789012345678901234567890123456789012AB"),
	/* closing */
	SERVER("\x88\0", " closed(1005)"),
	SERVER("\x88\x02\x03\xe8", " closed(1000)"),
	CLIENT("\x88\x82\x37\xfa\x21\x3d\x34\x12", " closed(1000)"),
	SERVER("\x88\x05\x03\xe9"
	       "bye",
	       " closed(1001)"),
	SERVER("\x88\x02\x0f\xa0", " closed(4000)"),
	SERVER("\x82\x01"
	       "a\x88\0\x82\x01"
	       "b",
	       "+a closed(1005)"),
	SERVER("\x02\x01"
	       "a\x88\0",
	       "+a closed(1005)"),
	/* what cannot be */
	SERVER("\x81\x05\x48\x65\x6c\x6c\x6f", " broken(1003)"),
	SERVER("\xc2\x01"
	       "a",
	       " broken(1002)"),
	SERVER("\xa2\x01"
	       "a",
	       " broken(1002)"),
	SERVER("\x92\x01"
	       "a",
	       " broken(1002)"),
	SERVER("\x83\0", " broken(1002)"),
	SERVER("\x8b\0", " broken(1002)"),
	SERVER("\x80\0", " broken(1002)"),
	SERVER("\x02\x01"
	       "a\x02\x01"
	       "b",
	       "+a broken(1002)"),
	SERVER("\x82\x81" ZERO_MASK "a", " broken(1002)"),
	CLIENT("\x82\x01"
	       "a",
	       " broken(1002)"),
	CLIENT("\x88\0", " broken(1002)"),
	SERVER("\x09\0", " broken(1002)"),
	SERVER("\x89\x7e\0\x7e", " broken(1002)"),
	SERVER("\x82\x7e\0\x7d", " broken(1002)"),
	SERVER("\x82\x7f\0\0\0\0\0\0\xff\xff", " broken(1002)"),
	SERVER("\x82\x7f\x80\0\0\0\0\0\0\0", " broken(1002)"),
	SERVER("\x88\x01\x03", " broken(1002)"),
	SERVER("\x88\x02\x03\xe7", " broken(1002)"),
	SERVER("\x88\x02\x03\xec", " broken(1002)"),
	SERVER("\x88\x02\x03\xed", " broken(1002)"),
	SERVER("\x88\x02\x03\xee", " broken(1002)"),
	SERVER("\x88\x02\x07\xd0", " broken(1002)"),
	SERVER("\x88\x02\x13\x88", " broken(1002)"),
	SERVER("\x88\x03\x03\xe8\xff", " broken(1002)"),
	SERVER("\x88\x04\x03\xe8\xc0\x80", " broken(1002)"),
};

static void test_reading_in_any_pieces(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
		const struct read_case *c = &read_cases[i];

		for (size_t piece = 1; piece <= c->len; piece++) {
			_cleanup_(buf_done) struct buf got = BUF_INIT(4096);

			read_all(&got, c->from_client, c->bytes, c->len, piece);
			(void)buf_append_char(&got, '\0');
			if (strcmp((char *)got.data, c->wanted) != 0)
				fail_msg("case %zu, piece %zu: \"%s\" instead of \"%s\"", i, piece,
					 (char *)got.data, c->wanted);
		}
	}
}

static void test_nothing_is_read_behind_the_end(void **state)
{
	uint8_t bytes[] = { 0x88, 0, 0x82, 1, 'a' };
	struct ws_bytes data = { bytes, sizeof(bytes) };
	struct ws_reader r = { 0 };
	struct ws_bytes payload;
	enum ws_close_code code;
	struct err e;

	assert_int_equal(ws_read(&r, &data, &payload, &code, &e), WS_EVENT_CLOSED);
	assert_int_equal(ws_read(&r, &data, &payload, &code, &e), WS_EVENT_BROKEN);
	assert_int_equal(ws_read(&r, &data, &payload, &code, &e), WS_EVENT_BROKEN);
}

/* A frame of 2^62 bytes is only a number: its payload is handed out as it comes. */
static void test_long_frames_are_streamed(void **state)
{
	uint8_t bytes[WS_HEADER_MAX + 3] = { 0x82, 0x7f, 0x40 };
	struct ws_bytes data = { bytes, 10 + 3 };
	struct ws_reader r = { 0 };
	struct ws_bytes payload;
	enum ws_close_code code;
	struct err e;

	assert_int_equal(ws_read(&r, &data, &payload, &code, &e), WS_EVENT_DATA);
	assert_int_equal(payload.len, 3);
	assert_true(r.left == ((uint64_t)1 << 62) - 3);
	assert_int_equal(ws_read(&r, &data, &payload, &code, &e), WS_EVENT_MORE);
}

/* ---- writing ---- */

static void test_headers(void **state)
{
	static const uint8_t mask[WS_MASK_LEN] = { 0x37, 0xfa, 0x21, 0x3d };
	static const struct {
		uint64_t len;
		size_t header_len;
		const char *bytes;
	} cases[] = {
		{ 0, 2, "\x82\0" },
		{ 5, 2, "\x82\x05" },
		{ 125, 2, "\x82\x7d" },
		{ 126, 4, "\x82\x7e\0\x7e" },
		{ 256, 4, "\x82\x7e\x01\0" }, /* section 5.7 */
		{ 65535, 4, "\x82\x7e\xff\xff" },
		{ 65536, 10, "\x82\x7f\0\0\0\0\0\x01\0\0" }, /* likewise */
	};
	uint8_t header[WS_HEADER_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = ws_frame_write_header(header, WS_BINARY, cases[i].len, NULL);

		assert_int_equal(len, cases[i].header_len);
		assert_memory_equal(header, cases[i].bytes, len);
		assert_int_equal(ws_frame_write_header(header, WS_BINARY, cases[i].len, mask),
				 len + WS_MASK_LEN);
		assert_int_equal(header[1], (uint8_t)cases[i].bytes[1] | 0x80);
		assert_memory_equal(header + len, mask, WS_MASK_LEN);
	}
	assert_int_equal(ws_frame_write_header(header, WS_PONG, 5, NULL), 2);
	assert_memory_equal(header, "\x8a\x05", 2);
}

static void test_mask(void **state)
{
	static const uint8_t mask[WS_MASK_LEN] = { 1, 2, 3, 4 };
	uint8_t plain[40];
	uint8_t masked[40];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(7 * i);
	for (size_t split = 0; split <= sizeof(plain); split++) {
		ws_mask(masked, plain, split, mask, 0);
		ws_mask(masked + split, plain + split, sizeof(plain) - split, mask, split);
		for (size_t i = 0; i < sizeof(plain); i++)
			assert_int_equal(masked[i], plain[i] ^ mask[i % 4]);
	}
	ws_mask(masked, masked, sizeof(masked), mask, 0);
	assert_memory_equal(masked, plain, sizeof(plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading_in_any_pieces),
		cmocka_unit_test(test_nothing_is_read_behind_the_end),
		cmocka_unit_test(test_long_frames_are_streamed),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
