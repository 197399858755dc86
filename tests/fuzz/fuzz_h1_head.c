/*
 * fuzz_h1_head.c - heads of requests and responses
 *
 * Properties: the verdict of the scanner does not depend on how the bytes were cut, what was
 * parsed lies in the head, and what is accepted holds no control bytes.
 */

#include <assert.h>
#include <string.h>

#include "http/h1_parse.h"
#include "http/http_chars.h"
#include "tests/fuzz/fuzz.h"

static enum h1_scan scan_by_byte(struct str data, size_t *ret_head_len)
{
	struct h1_scanner scanner = { 0 };
	enum h1_scan verdict = H1_SCAN_MORE;
	struct err e;

	for (size_t len = 1; len <= data.len && verdict == H1_SCAN_MORE; len++)
		verdict = h1_scan(&scanner, str_first(data, len), ret_head_len, &e);
	return verdict;
}

static bool lies_in(struct str view, struct str head)
{
	return view.at >= head.at && view.at + view.len <= head.at + head.len;
}

static void check_headers(const struct http_headers *headers, struct str head, bool is_request)
{
	assert(headers->count <= HTTP_HEADERS_MAX);
	for (size_t i = 0; i < headers->count; i++) {
		assert(lies_in(headers->items[i].name, head));
		assert(lies_in(headers->items[i].value, head));
		assert(http_is_token(headers->items[i].name));
		assert(http_is_text(headers->items[i].value));
		if (is_request)
			assert(str_find(headers->items[i].name, '_') == headers->items[i].name.len);
	}
}

static void check_request(struct str head)
{
	struct arena arena = { 0 };
	struct http_request request;
	struct h1_body body;
	struct err e;

	if (h1_parse_request(head, &arena, &request, &e) == 0) {
		check_headers(&request.headers, head, true);
		assert(lies_in(request.method, head) && lies_in(request.target, head));
		assert(http_is_token(request.method));
		assert(request.minor_version == 0 || request.authority.len > 0);
		assert((request.is_connect && !request.is_udp) == (request.path.len == 0));
		/* What was accepted can be framed. */
		assert(h1_body_of_request(&body, &request, &e) == 0);
		assert(!request.is_connect || body.is_complete);
	}
	arena_done(&arena);
}

static void check_response(struct str head)
{
	struct arena arena = { 0 };
	struct h1_response_head response;
	struct err e;

	if (h1_parse_response(head, &arena, &response, &e) == 0) {
		check_headers(&response.headers, head, false);
		assert(response.status >= 100 && response.status <= 999);
	}
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct h1_scanner scanner = { 0 };
	size_t head_len = 0;
	size_t head_len_by_byte = 0;
	struct err e;
	enum h1_scan verdict = h1_scan(&scanner, input, &head_len, &e);

	assert(verdict == scan_by_byte(input, &head_len_by_byte));
	assert(head_len == head_len_by_byte);
	/* The parsers do not rely on the scanner. */
	check_request(input);
	check_response(input);
	if (verdict == H1_SCAN_COMPLETE) {
		check_request(str_first(input, head_len));
		check_response(str_first(input, head_len));
	}
	return 0;
}
