#include "http/cache_control.h"

#include "http/http_chars.h"

/* Cuts at the next comma that is not within quotes. */
static struct str cut_directive(struct str *rest)
{
	bool is_quoted = false;
	struct str directive;
	size_t at = 0;

	for (; at < rest->len; at++) {
		char c = rest->at[at];

		if (c == '\\' && is_quoted)
			at++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (c == ',' && !is_quoted)
			break;
	}
	directive = str_first(*rest, at);
	*rest = str_from_pos(*rest, at + 1);
	return http_trim_blanks(directive);
}

static int64_t parse_seconds(struct str text)
{
	uint64_t seconds = 0;

	if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"')
		text = str_first(str_from_pos(text, 1), text.len - 2);
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return 0;
	}
	if (text.len == 0)
		return 0;
	if (!str_to_uint64(text, &seconds) || seconds > CACHE_MAX_AGE_MAX)
		return CACHE_MAX_AGE_MAX;
	return (int64_t)seconds;
}

static int64_t directive_max_age(struct str directive)
{
	size_t equals = str_find(directive, '=');
	struct str name = str_first(directive, equals);

	/* no-cache may name headers; then only those are meant, but nobody here could leave them out. */
	if (str_equal_nocase(name, STR("no-store")) || str_equal_nocase(name, STR("no-cache")))
		return 0;
	if (str_equal_nocase(name, STR("max-age")))
		return parse_seconds(str_from_pos(directive, equals + 1));
	return -1;
}

int64_t cache_control_max_age(struct str value)
{
	int64_t smallest = -1;

	while (value.len > 0) {
		int64_t seconds = directive_max_age(cut_directive(&value));

		if (seconds >= 0 && (smallest < 0 || seconds < smallest))
			smallest = seconds;
	}
	return smallest;
}
