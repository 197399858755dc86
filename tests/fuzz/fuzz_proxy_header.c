/*
 * fuzz_proxy_header.c - the PROXY protocol's header
 *
 * Properties: read as the needs tell, a header is found whatever the pieces, at the same place with the same addresses, and
 * no byte is ever asked for that is behind it; and a header that was accepted is refused when a byte is missing or follows.
 */

#include <assert.h>

#include "io/proxy_protocol.h"
#include "tests/fuzz/fuzz.h"

static enum proxy_header_result feed(struct str bytes, size_t most, struct proxy_header *ret,
				     size_t *ret_len)
{
	size_t taken = 0;
	size_t need = 0;

	for (;;) {
		struct err e;
		enum proxy_header_result result = proxy_header_parse(str_first(bytes, taken), ret,
								     &need, &e);

		*ret_len = taken;
		if (result != PROXY_HEADER_MORE)
			return result;
		assert(need > 0 && taken + need <= PROXY_HEADER_V2_MAX);
		if (taken == bytes.len)
			return result;
		need = need < most ? need : most;
		taken += need < bytes.len - taken ? need : bytes.len - taken;
	}
}

static void check_exact(struct str header)
{
	struct proxy_header ignored;
	size_t need;
	struct err e;

	for (size_t len = 0; len < header.len; len++) {
		assert(proxy_header_parse(str_first(header, len), &ignored, &need, &e) ==
		       PROXY_HEADER_MORE);
		assert(len + need <= header.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct proxy_header whole = { 0 };
	struct proxy_header slow = { 0 };
	size_t whole_len;
	size_t slow_len;
	enum proxy_header_result result = feed(input, SIZE_MAX, &whole, &whole_len);

	assert(feed(input, 1, &slow, &slow_len) == result);
	if (result != PROXY_HEADER_COMPLETE)
		return 0;
	assert(whole_len == slow_len && whole.has_addresses == slow.has_addresses);
	if (whole.has_addresses) {
		assert(addr_len(&whole.source) > 0 &&
		       whole.source.any.sa_family == whole.destination.any.sa_family);
		assert(addr_port(&whole.source) == addr_port(&slow.source));
	}
	check_exact(str_first(input, whole_len));
	return 0;
}
