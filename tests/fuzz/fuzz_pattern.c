/*
 * fuzz_pattern.c - patterns
 *
 * Input: a pattern up to the first line feed, behind it a text. Properties: what is refused has a reason, matching
 * ends, and a printable text matches itself quoted.
 */

#include "base/pattern.h"

#include <assert.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"

static void check_quoted(struct str text)
{
	struct buf quoted = BUF_INIT(PATTERN_LEN_MAX);
	struct pattern *pattern = NULL;

	(void)buf_append_str(&quoted, STR("\\Q"));
	(void)buf_append_str(&quoted, text);
	(void)buf_append_str(&quoted, STR("\\E"));
	if (!quoted.is_overflown && !str_contains(text, STR("\\")) &&
	    str_is_printable_ascii(text)) {
		assert(pattern_new(buf_view(&quoted), &pattern, NULL) == 0);
		assert(pattern_matches(pattern, text));
		pattern_free(pattern);
	}
	buf_done(&quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of(data, size);
	struct pattern *pattern = NULL;
	struct str head = { 0 };
	struct err e = { 0 };

	if (!str_cut(&text, '\n', &head))
		return 0;
	check_quoted(text);
	if (pattern_new(head, &pattern, &e) < 0) {
		assert(e.kind != ERR_NONE && e.text[0]);
		return 0;
	}
	(void)pattern_matches(pattern, text);
	pattern_free(pattern);
	return 0;
}
