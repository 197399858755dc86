#include "http/h1_parse.h"

#include <string.h>

#include "base/url.h"
#include "http/connect_udp.h"
#include "http/http_chars.h"
#include "http/websocket.h"

/*
 * A head is cut into lines, every byte is checked against the grammar, and only then the rules
 * between fields are applied (one Host, framing, the form of the target). What two parsers on a
 * path could read differently is refused.
 */

/* ---- lines and headers ---- */

static int cut_line(struct str *rest, struct str *ret_line, struct err *e)
{
	size_t cr = str_find(*rest, '\r');

	if (cr + 1 >= rest->len || rest->at[cr + 1] != '\n')
		return err_set(e, ERR_PROTOCOL, "a line of the head does not end with CR LF");
	*ret_line = str_first(*rest, cr);
	*rest = str_from_pos(*rest, cr + 2);
	return 0;
}

static int parse_header(struct str line, bool is_request, struct http_header *ret, struct err *e)
{
	size_t colon = str_find(line, ':');
	struct str name = str_first(line, colon);
	struct str value = http_trim_blanks(str_from_pos(line, colon + 1));

	if (colon == line.len || !http_is_token(name))
		return err_set(e, ERR_PROTOCOL, "a header line is not \"name: value\"");
	if (is_request && str_find(name, '_') != name.len)
		return err_set(e, ERR_PROTOCOL, "a header name contains '_'");
	if (!http_is_text(value))
		return err_set(e, ERR_PROTOCOL, "a header value contains a control character");
	*ret = (struct http_header){ .name = name, .value = value };
	return 0;
}

static size_t count_lines(struct str block)
{
	size_t count = 0;

	for (size_t i = 0; i < block.len; i++)
		count += block.at[i] == '\n';
	return count;
}

/* block: header lines and the blank line. */
static int parse_headers(struct str block, bool is_request, struct arena *arena,
			 struct http_headers *ret, struct err *e)
{
	size_t line_count = count_lines(block);
	struct http_header *items;
	struct str line;
	size_t count = 0;

	if (line_count > HTTP_HEADERS_MAX + 1)
		return err_set(e, ERR_LIMIT, "more than %d headers", HTTP_HEADERS_MAX);
	items = arena_alloc_array(arena, line_count + 1, sizeof(*items));
	for (;;) {
		if (cut_line(&block, &line, e))
			return -1;
		if (line.len == 0)
			break;
		if (parse_header(line, is_request, &items[count], e))
			return -1;
		count++;
	}
	if (block.len > 0)
		return err_set(e, ERR_PROTOCOL, "bytes behind the end of the head");
	*ret = (struct http_headers){ .items = items, .count = count };
	return 0;
}

static int parse_version(struct str version, unsigned *ret_minor, struct err *e)
{
	if (str_equal(version, STR("HTTP/1.1")))
		*ret_minor = 1;
	else if (str_equal(version, STR("HTTP/1.0")))
		*ret_minor = 0;
	else
		return err_set(e, ERR_PROTOCOL, "the version is neither HTTP/1.1 nor HTTP/1.0");
	return 0;
}

/* ---- requests ---- */

static bool is_target(struct str target)
{
	for (size_t i = 0; i < target.len; i++) {
		if (!http_is_visible_char((unsigned char)target.at[i]) || target.at[i] == '#')
			return false;
	}
	return target.len > 0;
}

static int parse_request_line(struct str line, struct http_request *r, struct err *e)
{
	size_t first = str_find(line, ' ');
	struct str rest = str_from_pos(line, first + 1);
	size_t second = str_find(rest, ' ');

	if (first == line.len || second == rest.len)
		return err_set(e, ERR_PROTOCOL,
			       "the request line is not \"method target version\"");
	r->method = str_first(line, first);
	r->target = str_first(rest, second);
	if (!http_is_token(r->method))
		return err_set(e, ERR_PROTOCOL, "the method is not a token");
	if (!is_target(r->target))
		return err_set(
			e, ERR_PROTOCOL,
			"the request target is empty or contains a byte that is not allowed");
	r->is_connect = str_equal(r->method, STR("CONNECT"));
	return parse_version(str_from_pos(rest, second + 1), &r->minor_version, e);
}

static void split_query(struct str path_and_query, struct http_request *r)
{
	size_t mark = str_find(path_and_query, '?');

	r->path = str_first(path_and_query, mark);
	r->query = str_from_pos(path_and_query, mark + 1);
}

static size_t scheme_prefix_len(struct str target)
{
	if (str_starts_with_nocase(target, STR("http://")))
		return sizeof("http://") - 1;
	if (str_starts_with_nocase(target, STR("https://")))
		return sizeof("https://") - 1;
	return 0;
}

/* http(s)://authority[/path][?query] */
static int parse_absolute_target(struct str target, struct http_request *r, struct err *e)
{
	struct str rest = str_from_pos(target, scheme_prefix_len(target));
	struct authority authority;
	size_t end = 0;

	while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
		end++;
	if (authority_parse(str_first(rest, end), false, &authority, e))
		return err_wrap(e, "request target");
	r->authority = authority.text;
	split_query(str_from_pos(rest, end), r);
	if (str_is_empty(r->path))
		r->path = str_equal(r->method, STR("OPTIONS")) ? STR("*") : STR("/");
	return 0;
}

static int parse_target(struct http_request *r, struct err *e)
{
	struct authority authority;

	if (r->is_connect) {
		if (authority_parse_connect(r->target, &authority, e))
			return err_wrap(e, "CONNECT target");
		r->authority = authority.text;
		return 0;
	}
	if (r->target.at[0] == '/') {
		split_query(r->target, r);
		return 0;
	}
	if (scheme_prefix_len(r->target) > 0)
		return parse_absolute_target(r->target, r, e);
	if (str_equal(r->target, STR("*")) && str_equal(r->method, STR("OPTIONS"))) {
		r->path = r->target;
		return 0;
	}
	return err_set(e, ERR_PROTOCOL, "the request target is neither a path nor an http URL");
}

static size_t count_named(const struct http_headers *headers, struct str name)
{
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += str_equal_nocase(headers->items[i].name, name);
	return count;
}

/* Host is checked even where the target decides: whoever comes behind us may look at it. */
static int check_host(struct http_request *r, struct err *e)
{
	size_t count = count_named(&r->headers, STR("host"));
	struct authority authority;
	struct str host;

	if (count > 1)
		return err_set(e, ERR_PROTOCOL, "more than one Host header");
	if (!http_headers_get(&r->headers, STR("host"), &host)) {
		if (r->minor_version == 0)
			return 0;
		return err_set(e, ERR_PROTOCOL, "no Host header");
	}
	if (authority_parse(host, false, &authority, e))
		return err_wrap(e, "Host header");
	if (str_is_empty(r->authority))
		r->authority = authority.text;
	return 0;
}

static bool keeps_alive(const struct http_request *r)
{
	if (http_headers_has_token(&r->headers, STR("connection"), STR("close")))
		return false;
	return r->minor_version == 1 ||
	       http_headers_has_token(&r->headers, STR("connection"), STR("keep-alive"));
}

int h1_parse_request(struct str head, struct arena *arena, struct http_request *ret, struct err *e)
{
	struct http_request r = { 0 };
	struct h1_body body;
	struct str line;

	if (cut_line(&head, &line, e) || parse_request_line(line, &r, e) ||
	    parse_headers(head, true, arena, &r.headers, e) || parse_target(&r, e) ||
	    check_host(&r, e))
		return -1;
	r.is_udp = connect_udp_is_request(&r, arena, &r.authority);
	r.is_websocket = !r.is_udp && websocket_is_request(&r, arena, &r.authority);
	r.is_connect |= r.is_udp || r.is_websocket;
	if (h1_body_of_request(&body, &r, e))
		return -1;
	r.keep_alive = keeps_alive(&r);
	*ret = r;
	return 0;
}

/* ---- responses ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* version SP 3DIGIT [SP reason]: too many servers leave the last blank out to refuse them. */
static int parse_status_line(struct str line, struct h1_response_head *r, struct err *e)
{
	size_t blank = str_find(line, ' ');
	struct str rest = str_from_pos(line, blank + 1);

	if (parse_version(str_first(line, blank), &r->minor_version, e))
		return -1;
	if (rest.len < 3 || rest.at[0] == '0' || !is_digit(rest.at[0]) || !is_digit(rest.at[1]) ||
	    !is_digit(rest.at[2]))
		return err_set(e, ERR_PROTOCOL, "the status is not a number of three digits");
	r->status = (rest.at[0] - '0') * 100 + (rest.at[1] - '0') * 10 + (rest.at[2] - '0');
	rest = str_from_pos(rest, 3);
	if (rest.len > 0 && rest.at[0] != ' ')
		return err_set(e, ERR_PROTOCOL, "the status is not a number of three digits");
	if (!http_is_text(rest))
		return err_set(e, ERR_PROTOCOL, "the reason contains a control character");
	return 0;
}

int h1_parse_response(struct str head, struct arena *arena, struct h1_response_head *ret,
		      struct err *e)
{
	struct h1_response_head r = { 0 };
	struct str line;

	if (cut_line(&head, &line, e) || parse_status_line(line, &r, e) ||
	    parse_headers(head, false, arena, &r.headers, e))
		return -1;
	*ret = r;
	return 0;
}
