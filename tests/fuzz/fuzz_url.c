/*
 * fuzz_url.c - URLs, authorities and query strings
 *
 * Properties: a URL that was accepted is the sum of its parts, an authority that was accepted is
 * accepted again as such, and the canonical form of a query is its own canonical form and says
 * the same.
 */

#include <assert.h>

#include "base/url.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (4 * URL_MAX)

static void add_part(struct buf *text, const char *before, struct str part)
{
	assert(buf_append_str(text, str_from(before)) == 0);
	assert(buf_append_str(text, part) == 0);
}

static void check_url(struct str input)
{
	struct buf again = BUF_INIT(TEXT_MAX);
	struct authority authority;
	struct url url;
	struct err e;

	if (url_parse(input, &url, &e) != 0)
		return;
	assert(authority_parse(url.authority.text, false, &authority, &e) == 0);
	assert(str_equal(authority.host, url.authority.host) &&
	       authority.port == url.authority.port);
	assert(url.path.len == 0 || url.path.at[0] == '/');
	add_part(&again, "", url.scheme);
	add_part(&again, "://", url.authority.text);
	add_part(&again, "", url.path);
	if (url.has_query)
		add_part(&again, "?", url.query);
	if (again.len < input.len)
		add_part(&again, "#", url.fragment);
	assert(str_equal(buf_view(&again), input));
	buf_done(&again);
}

static void check_authority(struct str input)
{
	struct authority any;
	struct authority strict;
	struct err e;

	if (authority_parse_connect(input, &strict, &e) != 0)
		return;
	assert(strict.port != 0);
	assert(authority_parse(input, true, &any, &e) == 0);
	assert(str_equal(any.host, strict.host) && any.port == strict.port);
	assert(str_find(any.host, '@') == any.host.len && str_find(any.host, '/') == any.host.len);
}

static void check_same_values(const struct query *a, const struct query *b)
{
	assert(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		struct str in_a;
		struct str in_b;

		/* The first of a name stays the first: sorting is stable. */
		assert(query_get(a, a->items[i].name, &in_a));
		assert(query_get(b, a->items[i].name, &in_b));
		assert(str_equal(in_a, in_b));
	}
}

static void check_query(struct str input)
{
	struct arena arena = { 0 };
	struct buf once = BUF_INIT(TEXT_MAX);
	struct buf twice = BUF_INIT(TEXT_MAX);
	struct query first;
	struct query second;
	struct err e;

	if (query_parse(input, &arena, &first, &e) == 0 &&
	    query_format_canonical(&first, &once) == 0 && once.len <= URL_MAX) {
		assert(query_parse(buf_view(&once), &arena, &second, &e) == 0);
		check_same_values(&first, &second);
		assert(query_format_canonical(&second, &twice) == 0);
		assert(str_equal(buf_view(&once), buf_view(&twice)));
	}
	buf_done(&once);
	buf_done(&twice);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);

	check_url(input);
	check_authority(input);
	check_query(input);
	return 0;
}
