/*
 * json_strict.c - depth is counted before jansson, which recurses, sees the text
 */

#include "jose/json_strict.h"

#include <stdbool.h>

/* The position behind the string that begins in front of at. */
static size_t skip_string(struct str text, size_t at)
{
	while (at < text.len && text.at[at] != '"')
		at += text.at[at] == '\\' ? 2 : 1;
	return at + 1;
}

/* In text that is no JSON any answer will do. */
static bool is_deeper(struct str text, unsigned depth_max)
{
	unsigned depth = 0;
	size_t at = 0;

	while (at < text.len) {
		char c = text.at[at++];

		if (c == '"')
			at = skip_string(text, at);
		else if ((c == '{' || c == '[') && ++depth > depth_max)
			return true;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return false;
}

json_t *json_strict_read(struct str text, unsigned depth_max, struct err *e)
{
	json_t *root;

	if (is_deeper(text, depth_max)) {
		(void)err_set(e, ERR_LIMIT, "nested deeper than %u levels", depth_max);
		return NULL;
	}
	root = json_loadb(text.len ? text.at : "", text.len,
			  JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	(void)err_set(e, ERR_PROTOCOL, "not a JSON object");
	return NULL;
}
