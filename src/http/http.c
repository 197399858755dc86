#include "http/http.h"

#include <stdint.h>

#include "base/compiler.h"
#include "http/http_chars.h"

/*
 * Lookups in a parsed head are linear: heads are short and bounded, and order matters. Accept is
 * read range by range with one cursor; only the best match so far is remembered, so nothing is
 * sorted or allocated.
 */

bool http_is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!http_is_token_char((unsigned char)s.at[i]))
			return false;
	}
	return s.len > 0;
}

bool http_is_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!http_is_text_char((unsigned char)s.at[i]))
			return false;
	}
	return true;
}

struct str http_trim_blanks(struct str s)
{
	while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = str_from_pos(s, 1);
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

bool http_headers_get(const struct http_headers *h, struct str name, struct str *ret_value)
{
	for (size_t i = 0; i < h->count; i++) {
		if (!str_equal_nocase(h->items[i].name, name))
			continue;
		*ret_value = h->items[i].value;
		return true;
	}
	return false;
}

static bool list_has_token(struct str list, struct str token)
{
	struct str item;

	while (str_cut(&list, ',', &item)) {
		if (str_equal_nocase(http_trim_blanks(item), token))
			return true;
	}
	return false;
}

bool http_headers_has_token(const struct http_headers *h, struct str name, struct str token)
{
	for (size_t i = 0; i < h->count; i++) {
		if (str_equal_nocase(h->items[i].name, name) &&
		    list_has_token(h->items[i].value, token))
			return true;
	}
	return false;
}

struct status_text {
	int status;
	const char *text;
};

static const struct status_text status_texts[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 450, "Device Not Authorized" },
	{ 495, "Client Certificate Required" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *http_status_text(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(status_texts); i++) {
		if (status_texts[i].status == status)
			return status_texts[i].text;
	}
	return "";
}

/* ---- Accept ---- */

struct media_range {
	struct str type;
	struct str subtype;
	unsigned q; /* thousandths */
	unsigned specificity;
};

static void skip_blanks(struct str *rest)
{
	while (rest->len > 0 && (rest->at[0] == ' ' || rest->at[0] == '\t'))
		*rest = str_from_pos(*rest, 1);
}

static bool take_char(struct str *rest, char c)
{
	if (rest->len == 0 || rest->at[0] != c)
		return false;
	*rest = str_from_pos(*rest, 1);
	return true;
}

static bool take_token(struct str *rest, struct str *ret)
{
	size_t len = 0;

	while (len < rest->len && http_is_token_char((unsigned char)rest->at[len]))
		len++;
	if (len == 0)
		return false;
	*ret = str_first(*rest, len);
	*rest = str_from_pos(*rest, len);
	return true;
}

/* The rest of a quoted-string, behind its opening quote. */
static bool skip_quoted(struct str *rest)
{
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->at[i] == '"') {
			*rest = str_from_pos(*rest, i + 1);
			return true;
		}
		if (rest->at[i] == '\\')
			i++;
	}
	return false;
}

/* qvalue: "0" or "1" with at most three decimals, not above 1. */
static bool parse_quality(struct str text, unsigned *ret)
{
	unsigned scale = 100;
	unsigned q;

	if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1'))
		return false;
	if (text.len > 1 && text.at[1] != '.')
		return false;
	q = (unsigned)(text.at[0] - '0') * 1000;
	for (size_t i = 2; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		q += (unsigned)(text.at[i] - '0') * scale;
		scale /= 10;
	}
	if (q > 1000)
		return false;
	*ret = q;
	return true;
}

/* ;name=value ...: those before q belong to the type, those after it to nobody. */
static bool parse_parameters(struct str *rest, struct media_range *range)
{
	bool has_quality = false;

	for (skip_blanks(rest); take_char(rest, ';'); skip_blanks(rest)) {
		struct str name;
		struct str value = { 0 };

		skip_blanks(rest);
		if (!take_token(rest, &name) || !take_char(rest, '='))
			return false;
		if (take_char(rest, '"') ? !skip_quoted(rest) : !take_token(rest, &value))
			return false;
		if (has_quality)
			continue;
		has_quality = str_equal_nocase(name, STR("q"));
		if (has_quality && !parse_quality(value, &range->q))
			return false;
		if (!has_quality)
			range->specificity = 3;
	}
	return true;
}

static bool parse_range(struct str *rest, struct media_range *ret)
{
	struct media_range range = { .q = 1000 };
	bool any_type;
	bool any_subtype;

	if (!take_token(rest, &range.type) || !take_char(rest, '/') ||
	    !take_token(rest, &range.subtype))
		return false;
	any_type = str_equal(range.type, STR("*"));
	any_subtype = str_equal(range.subtype, STR("*"));
	if (any_type && !any_subtype)
		return false;
	range.specificity = any_type ? 0 : any_subtype ? 1 : 2;
	if (!parse_parameters(rest, &range))
		return false;
	*ret = range;
	return true;
}

static bool range_matches(const struct media_range *range, struct str offered)
{
	size_t slash = str_find(offered, '/');

	if (str_equal(range->type, STR("*")))
		return true;
	if (!str_equal_nocase(range->type, str_first(offered, slash)))
		return false;
	return str_equal(range->subtype, STR("*")) ||
	       str_equal_nocase(range->subtype, str_from_pos(offered, slash + 1));
}

/* The first offered that the range takes, or -1. */
static int match_offered(const struct media_range *range, const struct str *offered, size_t count)
{
	if (range->q == 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (range_matches(range, offered[i]))
			return (int)i;
	}
	return -1;
}

static bool is_better(const struct media_range *range, const struct media_range *best)
{
	if (range->q != best->q)
		return range->q > best->q;
	return range->specificity > best->specificity;
}

int http_accept_prefers(struct str accept, const struct str *offered, size_t offered_count)
{
	struct media_range best = { 0 };
	struct str rest = accept;
	int chosen = -1;

	for (;;) {
		struct media_range range;
		int match;

		/* RFC 9110 section 5.6.1.2: empty list elements are ignored. */
		skip_blanks(&rest);
		if (rest.len == 0)
			return chosen;
		if (take_char(&rest, ','))
			continue;
		if (!parse_range(&rest, &range) || (rest.len > 0 && rest.at[0] != ','))
			return -1;
		match = match_offered(&range, offered, offered_count);
		if (match >= 0 && (chosen < 0 || is_better(&range, &best))) {
			best = range;
			chosen = match;
		}
	}
}
