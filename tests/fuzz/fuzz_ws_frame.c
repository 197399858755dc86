/*
 * fuzz_ws_frame.c - frames of a WebSocket; the first byte says whether they come from a client
 *
 * Properties: what comes out does not depend on how the bytes were cut, control frames are short, nothing is read behind the end,
 * and the payload never grows.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http/ws_frame.h"
#include "tests/fuzz/fuzz.h"

struct sum {
	uint64_t events[WS_EVENT_BROKEN + 1]; /* but for pieces, whose number is that of the cuts */
	uint64_t bytes;
	uint64_t hash;
	int code;
};

static void add(struct sum *sum, enum ws_event event, const struct ws_bytes *payload)
{
	assert(event == WS_EVENT_DATA || payload->len <= WS_CONTROL_MAX);
	if (event != WS_EVENT_DATA)
		sum->events[event]++;
	sum->bytes += payload->len;
	for (size_t i = 0; i < payload->len; i++)
		sum->hash = (sum->hash ^ payload->at[i]) * 1099511628211u;
}

static bool is_end(enum ws_event event)
{
	return event == WS_EVENT_CLOSED || event == WS_EVENT_BROKEN;
}

/* Unmasks in place. */
static struct sum read_pieces(bool from_client, uint8_t *data, size_t size, size_t piece)
{
	struct ws_reader reader = { .expects_mask = from_client };
	enum ws_event event = WS_EVENT_MORE;
	struct sum sum = { 0 };
	struct err e;

	for (size_t at = 0; at < size && !is_end(event); at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		struct ws_bytes part = { data + at, len };

		do {
			struct ws_bytes payload = { 0 };
			enum ws_close_code code = WS_CLOSE_NORMAL;

			event = ws_read(&reader, &part, &payload, &code, &e);
			add(&sum, event, is_end(event) ? &(struct ws_bytes){ 0 } : &payload);
			sum.code = is_end(event) ? (int)code : 0;
		} while (event != WS_EVENT_MORE && !is_end(event));
		assert(part.len == 0 || is_end(event));
	}
	sum.events[WS_EVENT_MORE] = 0;
	assert(sum.bytes <= size);
	return sum;
}

static struct sum read_copy(const uint8_t *data, size_t size, size_t piece)
{
	uint8_t *copy = malloc(size);
	struct sum sum;

	assert(copy);
	memcpy(copy, data, size);
	sum = read_pieces(copy[0] & 1, copy + 1, size - 1, piece);
	free(copy);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole;
	struct sum bytes;

	if (size < 2)
		return 0;
	whole = read_copy(data, size, size);
	bytes = read_copy(data, size, 1);
	assert(memcmp(&whole.events, &bytes.events, sizeof(whole.events)) == 0);
	assert(whole.bytes == bytes.bytes && whole.hash == bytes.hash && whole.code == bytes.code);
	return 0;
}
