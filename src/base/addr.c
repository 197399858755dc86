/*
 * addr.c - inet_pton() and inet_ntop() with the length and NUL checks they lack
 */

#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

socklen_t addr_len(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return sizeof(a->ip4);
	return a->any.sa_family == AF_INET6 ? sizeof(a->ip6) : 0;
}

uint16_t addr_port(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohs(a->ip4.sin_port);
	return a->any.sa_family == AF_INET6 ? ntohs(a->ip6.sin6_port) : 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET)
		a->ip4.sin_port = htons(port);
	if (a->any.sa_family == AF_INET6)
		a->ip6.sin6_port = htons(port);
}

bool addr_from_ip(struct str ip, uint16_t port, struct addr *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct addr a = { 0 };

	if (ip.len == 0 || ip.len >= sizeof(text) || str_find(ip, '\0') < ip.len)
		return false;
	memcpy(text, ip.at, ip.len);
	text[ip.len] = '\0';
	if (inet_pton(AF_INET, text, &a.ip4.sin_addr) == 1) {
		a.ip4.sin_family = AF_INET;
	} else {
		a = (struct addr){ 0 };
		if (inet_pton(AF_INET6, text, &a.ip6.sin6_addr) != 1)
			return false;
		a.ip6.sin6_family = AF_INET6;
	}
	addr_set_port(&a, port);
	*ret = a;
	return true;
}

void addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	const void *bytes = &a->ip6.sin6_addr;
	int family = a->any.sa_family;

	out[0] = '\0';
	if (family == AF_INET)
		bytes = &a->ip4.sin_addr;
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->ip6.sin6_addr)) {
		family = AF_INET;
		bytes = &a->ip6.sin6_addr.s6_addr[12];
	}
	if (!inet_ntop(family, bytes, out, ADDR_TEXT_MAX))
		out[0] = '\0';
}

void addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	if (ip[0] == '\0') {
		out[0] = '\0';
		return;
	}
	bool is_ip6 = strchr(ip, ':') != NULL;
	(void)snprintf(out, ADDR_TEXT_MAX, "%s%.45s%s:%u", is_ip6 ? "[" : "", ip, is_ip6 ? "]" : "",
		       (unsigned int)addr_port(a)); /* fits */
}

static bool parse_port(struct str text, uint16_t *ret)
{
	uint64_t port;

	if (text.len > 5 || (text.len > 1 && text.at[0] == '0') || !str_to_uint64(text, &port) ||
	    port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool is_in_brackets(struct str host)
{
	return host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
}

static bool parse_bracketed(struct str host, struct addr *ret)
{
	return addr_from_ip(str_first(str_from_pos(host, 1), host.len - 2), 0, ret) &&
	       ret->any.sa_family == AF_INET6;
}

bool addr_from_ip_or_pair(struct str text, struct addr *ret)
{
	size_t colon = str_find_last(text, ':');
	uint16_t port;

	if (addr_from_ip(text, 0, ret))
		return true;
	if (is_in_brackets(text))
		return parse_bracketed(text, ret);
	if (colon == text.len || !parse_port(str_from_pos(text, colon + 1), &port))
		return false;
	text = str_first(text, colon);
	if (is_in_brackets(text))
		return parse_bracketed(text, ret);
	return addr_from_ip(text, 0, ret) && ret->any.sa_family == AF_INET;
}

static bool parse_listen_host(struct str host, struct addr *ret)
{
	if (host.len == 0) {
		*ret = (struct addr){ .ip6 = { .sin6_family = AF_INET6,
					       .sin6_addr = in6addr_any } };
		return true;
	}
	if (str_equal_nocase(host, STR("localhost")))
		return addr_from_ip(STR("127.0.0.1"), 0, ret);
	if (is_in_brackets(host))
		return parse_bracketed(host, ret);
	return addr_from_ip(host, 0, ret) && ret->any.sa_family == AF_INET;
}

int addr_parse_listen(struct str text, struct addr *ret, struct err *e)
{
	size_t colon = str_find_last(text, ':');
	bool is_showable = text.len < ADDR_TEXT_MAX && str_is_printable_ascii(text);
	struct str shown = is_showable ? text : STR("the text");
	struct addr a;
	uint16_t port;

	if (colon == text.len)
		return err_set(e, ERR_CONFIG,
			       "\"%.*s\" is not a listening address (host:port or :port)",
			       STR_FMT(shown));
	if (!parse_port(str_from_pos(text, colon + 1), &port))
		return err_set(e, ERR_CONFIG, "the port of \"%.*s\" is not a number up to 65535",
			       STR_FMT(shown));
	if (!parse_listen_host(str_first(text, colon), &a))
		return err_set(e, ERR_CONFIG,
			       "the host of \"%.*s\" is not an IP address (IPv6 in brackets), "
			       "\"localhost\" or empty",
			       STR_FMT(shown));
	addr_set_port(&a, port);
	*ret = a;
	return 0;
}
