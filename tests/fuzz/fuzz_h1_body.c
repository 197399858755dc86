/*
 * fuzz_h1_body.c - the body decoder
 *
 * The first byte chooses the framing, the rest is the body. Property: verdict, content and
 * consumed bytes do not depend on how the bytes were cut, and the content never exceeds the
 * maximum.
 */

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "http/h1_parse.h"
#include "tests/fuzz/fuzz.h"

#define CONTENT_MAX 4096

struct outcome {
	int result;
	size_t consumed;
	struct h1_body body;
	struct buf content;
};

static struct h1_body choose_body(uint8_t selector)
{
	struct h1_body body = { .kind = H1_BODY_CHUNKED };

	if (selector >= 'A' && selector <= 'Z') {
		body.kind = H1_BODY_LENGTH;
		body.left = (uint64_t)(selector - 'A');
		body.is_complete = body.left == 0;
	}
	if (selector == 'u')
		body.kind = H1_BODY_UNTIL_END;
	return body;
}

static void decode(struct outcome *o, struct str data, size_t piece)
{
	while (o->result == 0 && !o->body.is_complete && o->consumed < data.len) {
		struct str part = str_first(str_from_pos(data, o->consumed), piece);
		size_t consumed = 0;
		struct err e;

		o->result = h1_body_decode(&o->body, part, &consumed, &o->content, &e);
		assert(o->result != 0 || consumed > 0);
		assert(consumed <= part.len);
		o->consumed += consumed;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = { .content = BUF_INIT(CONTENT_MAX) };
	struct outcome bytes = { .content = BUF_INIT(CONTENT_MAX) };

	if (size == 0)
		return 0;
	whole.body = choose_body(data[0]);
	bytes.body = whole.body;
	decode(&whole, str_of(data + 1, size - 1), size);
	decode(&bytes, str_of(data + 1, size - 1), 1);
	assert(whole.result == bytes.result);
	assert(whole.body.is_complete == bytes.body.is_complete);
	if (whole.result == 0) {
		assert(whole.consumed == bytes.consumed);
		assert(str_equal(buf_view(&whole.content), buf_view(&bytes.content)));
	}
	buf_done(&whole.content);
	buf_done(&bytes.content);
	return 0;
}
