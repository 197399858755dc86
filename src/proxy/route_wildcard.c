/*
 * The pieces between the stars are looked for one after the other, each at the first place behind the one before: if the
 * text matches at all, it matches so. What comes before the first star and behind the last one has only one place.
 */

#include "proxy/route_wildcard.h"

#include <string.h>

#include "base/mem.h"

static bool ends_with_domain(struct str host)
{
	struct str tail = str_from_pos(host, str_find_last(host, '*') + 1);
	struct str domain = str_from_pos(tail, str_find(tail, '.') + 1);
	size_t dot = str_find(domain, '.');

	return dot > 0 && dot + 1 < domain.len;
}

bool route_wildcard_init(struct route_wildcard *w, struct str text, struct route *route)
{
	struct authority authority;

	if (authority_parse(text, true, &authority, NULL) < 0)
		return false;
	*w = (struct route_wildcard){
		.host = str_copy_lower(authority.host),
		.port = authority.port,
		.is_owned = ends_with_domain(authority.host),
		.route = route,
	};
	return true;
}

void route_wildcard_done(struct route_wildcard *w)
{
	mem_free(TAKE(w->host));
}

bool route_wildcard_has_host(const struct route_wildcard *w, struct str host)
{
	return wildcard_matches(str_from(w->host), host);
}

/* Takes text up to the end of the first place where piece is. */
static bool skip_past(struct str *text, struct str piece)
{
	const char *at;

	if (piece.len == 0)
		return true;
	if (piece.len > text->len)
		return false;
	at = memmem(text->at, text->len, piece.at, piece.len);
	if (!at)
		return false;
	*text = str_from_pos(*text, (size_t)(at - text->at) + piece.len);
	return true;
}

bool wildcard_matches(struct str pattern, struct str text)
{
	size_t first_star = str_find(pattern, '*');
	size_t last_star = str_find_last(pattern, '*');
	struct str head = str_first(pattern, first_star);
	struct str tail = str_from_pos(pattern, last_star + 1);
	struct str piece;

	if (first_star == pattern.len)
		return str_equal(pattern, text);
	if (text.len < head.len + tail.len || !str_starts_with(text, head) ||
	    !str_ends_with(text, tail))
		return false;
	text = str_from_pos(str_first(text, text.len - tail.len), head.len);
	pattern = str_from_pos(str_first(pattern, last_star), first_star);
	while (str_cut(&pattern, '*', &piece))
		if (!skip_past(&text, piece))
			return false;
	return true;
}
