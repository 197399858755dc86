/*
 * fuzz_signed_url.c - an input is the URL that a client asks for, without its scheme
 *
 * Properties: nobody without the key gets a URL accepted that was not signed with it; what is
 * signed here is accepted here with the same parameters, and not after a change of its last byte.
 */

#include <assert.h>

#include "session/signed_url.h"
#include "tests/fuzz/fuzz.h"

#define KEY        STR("0123456789abcdef0123456789abcdef")
#define SCHEME_LEN 8 /* https:// */
#define NOW        1574117851

/* Puts no signature by accident: the corpus is signed with this key. */
#define CORPUS_KEY STR("test-key")

static void cut(struct str text, struct str *ret_authority, struct str *ret_path,
		struct str *ret_query)
{
	struct str before = str_first(text, str_find(text, '?'));
	size_t slash = str_find(before, '/');

	*ret_query = str_from_pos(text, before.len + 1);
	*ret_authority = str_first(before, slash);
	*ret_path = str_from_pos(before, slash);
}

static int verify(struct str key, struct str text, struct arena *arena, struct query *ret)
{
	struct str authority;
	struct str path;
	struct str query;
	struct err e;

	cut(text, &authority, &path, &query);
	return signed_url_verify(key, &(struct signed_url_parts){ authority, path, query }, NOW,
				 arena, ret, &e);
}

static void remove_stamps(struct query *q)
{
	query_remove(q, STR("pomerium_issued"));
	query_remove(q, STR("pomerium_expiry"));
	query_remove(q, STR("pomerium_signature"));
}

static void check_signed(const struct query *params, struct str base, struct arena *arena)
{
	struct buf url = BUF_INIT(2 * URL_MAX);
	struct query back;
	struct str text;
	struct err e;

	assert(buf_append_str(&url, STR("https://")) == 0);
	assert(buf_append_str(&url, base) == 0);
	struct str whole_base = arena_copy(arena, buf_view(&url));
	buf_truncate(&url, 0);
	if (signed_url_sign(KEY, whole_base, params, NOW, &url, &e) == 0) {
		text = str_from_pos(buf_view(&url), SCHEME_LEN);
		/* An authority that is none is signed, but not accepted. */
		if (verify(KEY, text, arena, &back) == 0) {
			assert(back.count == params->count);
			url.data[url.len - 1] ^= 1;
			assert(verify(KEY, text, arena, &back) != 0);
		}
	}
	buf_done(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);
	struct arena arena = { 0 };
	struct query accepted;
	struct query params;
	struct err e;

	(void)verify(CORPUS_KEY, input, &arena, &accepted); /* either is right */
	assert(verify(KEY, input, &arena, &accepted) != 0);
	if (size <= URL_MAX &&
	    query_parse(str_from_pos(input, str_find(input, '?') + 1), &arena, &params, &e) == 0) {
		remove_stamps(&params);
		check_signed(&params, str_first(input, str_find(input, '?')), &arena);
	}
	arena_done(&arena);
	return 0;
}
