/*
 * url.c - URLs are cut at their delimiters from the left, then each part is checked byte by byte
 *
 * What is refused is not repeated in the error text unless it is short and printable: it may come
 * from a peer.
 */

#include "base/url.h"

#include "base/addr.h"

#define SHOWN_MAX       128
#define PORT_DIGITS_MAX 5

static int refuse(struct err *e, const char *noun, struct str text, const char *reason)
{
	if (text.len == 0)
		return err_set(e, ERR_PROTOCOL, "the %s is empty", noun);
	if (text.len > SHOWN_MAX || !str_is_printable_ascii(text))
		return err_set(e, ERR_PROTOCOL, "invalid %s: %s", noun, reason);
	return err_set(e, ERR_PROTOCOL, "invalid %s \"%.*s\": %s", noun, STR_FMT(text), reason);
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_host_byte(char c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

static bool is_host_name(struct str host, bool allow_wildcard)
{
	if (host.len == 0 || host.len > HOST_NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		if (!is_host_byte(host.at[i]) && !(allow_wildcard && host.at[i] == '*'))
			return false;
	}
	return true;
}

static bool is_ip6(struct str host)
{
	struct addr a;

	return addr_from_ip(host, 0, &a) && a.any.sa_family == AF_INET6;
}

static bool parse_port(struct str text, uint16_t *ret)
{
	uint64_t port;

	if (text.len > PORT_DIGITS_MAX || !str_to_uint64(text, &port))
		return false;
	if (text.at[0] == '0' || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* Cuts text into host and what follows it (empty, or from the ':' on). */
static bool cut_host(struct str text, struct authority *a, struct str *ret_rest)
{
	a->is_ip6_literal = text.len > 0 && text.at[0] == '[';
	if (!a->is_ip6_literal) {
		size_t colon = str_find(text, ':');
		a->host = str_first(text, colon);
		*ret_rest = str_from_pos(text, colon);
		return true;
	}
	size_t close = str_find(text, ']');
	if (close == text.len)
		return false;
	a->host = str_first(str_from_pos(text, 1), close - 1);
	*ret_rest = str_from_pos(text, close + 1);
	return true;
}

int authority_parse(struct str text, bool allow_wildcard, struct authority *ret, struct err *e)
{
	struct authority a = { .text = text };
	struct str rest;

	if (str_find(text, '@') < text.len) /* may hold a password: not shown */
		return err_set(e, ERR_PROTOCOL, "user information in front of the host is refused");
	if (!cut_host(text, &a, &rest))
		return refuse(e, "host", text, "the closing bracket is missing");
	if (a.is_ip6_literal ? !is_ip6(a.host) : !is_host_name(a.host, allow_wildcard))
		return refuse(e, "host", a.host, "neither a name nor an IP address");
	if (rest.len > 0 && (rest.at[0] != ':' || !parse_port(str_from_pos(rest, 1), &a.port)))
		return refuse(e, "host and port", text,
			      "the port must be a number from 1 to 65535");
	*ret = a;
	return 0;
}

int authority_parse_connect(struct str text, struct authority *ret, struct err *e)
{
	struct authority a;

	if (authority_parse(text, false, &a, e) < 0)
		return -1;
	if (a.port == 0)
		return refuse(e, "host and port", text, "the port is missing");
	*ret = a;
	return 0;
}

static bool is_scheme(struct str scheme)
{
	if (scheme.len == 0 || !is_alpha(scheme.at[0]))
		return false;
	for (size_t i = 1; i < scheme.len; i++) {
		char c = scheme.at[i];
		if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
			return false;
	}
	return true;
}

/* Printable ASCII without blank, quote, angle brackets and backslash; every '%' begins an escape.
 */
static bool is_url_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c <= 0x20 || c > 0x7e || c == '"' || c == '<' || c == '>' || c == '\\')
			return false;
		if (c == '%' &&
		    (text.len - i < 3 || !is_hex(text.at[i + 1]) || !is_hex(text.at[i + 2])))
			return false;
	}
	return true;
}

/* Cuts *text at the first c: the part behind it is returned and *text ends before it. */
static bool cut_tail(struct str *text, char c, struct str *ret_tail)
{
	size_t pos = str_find(*text, c);

	if (pos == text->len)
		return false;
	*ret_tail = str_from_pos(*text, pos + 1);
	text->len = pos;
	return true;
}

int url_parse(struct str text, struct url *ret, struct err *e)
{
	struct url u = { 0 };
	struct str rest = text;

	if (text.len > URL_MAX)
		return err_set(e, ERR_LIMIT, "the URL is longer than %d bytes", URL_MAX);
	if (!is_url_text(text))
		return err_set(e, ERR_PROTOCOL,
			       "the URL contains a byte or %%-sequence that is not allowed there");
	(void)cut_tail(&rest, '#', &u.fragment); /* none is fine */
	if (str_find(u.fragment, '#') < u.fragment.len)
		return err_set(e, ERR_PROTOCOL, "the URL contains a second '#'");
	u.has_query = cut_tail(&rest, '?', &u.query);
	size_t colon = str_find(rest, ':');
	u.scheme = str_first(rest, colon);
	rest = str_from_pos(rest, colon);
	if (!is_scheme(u.scheme) || !str_starts_with(rest, STR("://")))
		return err_set(e, ERR_PROTOCOL, "the URL does not begin with scheme://");
	rest = str_from_pos(rest, 3);
	size_t slash = str_find(rest, '/');
	u.path = str_from_pos(rest, slash);
	if (authority_parse(str_first(rest, slash), false, &u.authority, e) < 0)
		return err_wrap(e, "URL");
	*ret = u;
	return 0;
}

bool host_is_loopback(struct str host)
{
	struct addr a;

	if (str_equal_nocase(host, STR("localhost")))
		return true;
	if (!addr_from_ip(host, 0, &a))
		return false;
	if (a.any.sa_family == AF_INET)
		return ntohl(a.ip4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a.ip6.sin6_addr);
}
