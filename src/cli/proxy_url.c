/*
 * proxy_url.c - url_parse() refuses credentials, so they are cut out first
 */

#include "cli/proxy_url.h"

#include <string.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/url.h"

#define CREDENTIAL_MAX 1024
#define NAME_MAX_LEN   (HOST_NAME_MAX_LEN + 32)

static const struct {
	const char *scheme;
	enum proxy_kind kind;
	uint16_t port;
} kinds[] = {
	{ "http", PROXY_HTTP, 80 },
	{ "https", PROXY_HTTPS, 443 },
	{ "socks5", PROXY_SOCKS5, 1080 },
	{ "socks5h", PROXY_SOCKS5H, 1080 },
};

/* ---- the address ---- */

/* In user and password a plus is a plus. */
static char *decode(struct str text)
{
	struct buf escaped = BUF_INIT(3 * CREDENTIAL_MAX);
	struct buf plain = BUF_INIT(CREDENTIAL_MAX);
	char *result = NULL;

	for (size_t i = 0; i < text.len; i++)
		(void)buf_append_str(&escaped,
				     text.at[i] == '+' ? STR("%2B") : str_of(text.at + i, 1));
	if (!escaped.is_overflown && query_unescape(&plain, buf_view(&escaped)) == 0)
		result = str_copy(buf_view(&plain));
	buf_done_secret(&escaped);
	buf_done_secret(&plain);
	return result;
}

static int take_credentials(struct str *rest, struct proxy_url *out, struct err *e)
{
	struct str authority = str_first(*rest, str_find(*rest, '/'));
	size_t at = str_find_last(authority, '@');
	struct str password;
	struct str user;

	if (at == authority.len)
		return 0;
	password = str_first(authority, at);
	(void)str_cut(&password, ':', &user); /* without a colon no password */
	*rest = str_from_pos(*rest, at + 1);
	out->user = decode(user);
	out->password = decode(password);
	if (!out->user || !out->password)
		return err_set(e, ERR_CONFIG,
			       "its user or password is not properly percent-encoded");
	if (strchr(out->user, ':') && out->kind <= PROXY_HTTPS)
		return err_set(e, ERR_CONFIG, "its user must not contain a colon");
	if (out->user[0] == '\0')
		return err_set(e, ERR_CONFIG, "its user is empty");
	return 0;
}

static int take_scheme(struct str *rest, struct proxy_url *out, struct err *e)
{
	struct str scheme = STR("http");

	for (size_t i = 0; i + 2 < rest->len; i++) {
		if (memcmp(rest->at + i, "://", 3) != 0)
			continue;
		scheme = str_first(*rest, i);
		*rest = str_from_pos(*rest, i + 3);
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_equal_nocase(scheme, str_from(kinds[i].scheme)))
			continue;
		out->kind = kinds[i].kind;
		out->port = kinds[i].port;
		return 0;
	}
	return err_set(e, ERR_CONFIG, "its scheme must be http, https, socks5 or socks5h");
}

static int take_authority(struct str rest, struct proxy_url *out, struct err *e)
{
	struct buf name = BUF_INIT(NAME_MAX_LEN);
	struct authority authority;
	struct err ignored;

	if (str_ends_with(rest, STR("/")))
		rest.len--;
	if (authority_parse(rest, false, &authority, &ignored) < 0 ||
	    authority.host.len > HOST_NAME_MAX_LEN)
		return err_set(e, ERR_CONFIG,
			       "it must be like http://proxy.example.com:3128, with nothing behind "
			       "the port");
	if (authority.port)
		out->port = authority.port;
	out->host = str_copy(authority.host);
	(void)buf_printf(&name, "%s://%s%s%s:%u", kinds[out->kind].scheme, /* fits */
			 authority.is_ip6_literal ? "[" : "", out->host,
			 authority.is_ip6_literal ? "]" : "", (unsigned)out->port);
	out->name = buf_take_string(&name);
	return 0;
}

int proxy_url_parse(struct str text, struct proxy_url *ret, struct err *e)
{
	struct proxy_url out = { 0 };
	struct str rest = str_trim(text);

	if (take_scheme(&rest, &out, e) < 0 || take_credentials(&rest, &out, e) < 0 ||
	    take_authority(rest, &out, e) < 0) {
		proxy_url_done(&out);
		return -1;
	}
	*ret = out;
	return 0;
}

void proxy_url_done(struct proxy_url *url)
{
	mem_free(TAKE(url->host));
	mem_free(TAKE(url->name));
	mem_free_secret(TAKE(url->user));
	mem_free_secret(TAKE(url->password));
}

/* ---- exceptions ---- */

static bool has_same_prefix(const uint8_t *a, const uint8_t *b, uint64_t bits)
{
	size_t bytes = (size_t)(bits / 8); /* of 128 at most */
	unsigned rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static const uint8_t *ip_bytes(const struct addr *a)
{
	return a->any.sa_family == AF_INET ? (const uint8_t *)&a->ip4.sin_addr
					   : (const uint8_t *)&a->ip6.sin6_addr;
}

/* item: "10.0.0.0/8" or "::1". */
static bool matches_network(struct str item, const struct addr *ip)
{
	uint64_t max = ip->any.sa_family == AF_INET ? 32 : 128;
	size_t slash = str_find(item, '/');
	struct addr network;
	uint64_t bits = max;

	if (!addr_from_ip(str_first(item, slash), 0, &network) ||
	    network.any.sa_family != ip->any.sa_family)
		return false;
	if (slash < item.len &&
	    (!str_to_uint64(str_from_pos(item, slash + 1), &bits) || bits > max))
		return false;
	return has_same_prefix(ip_bytes(&network), ip_bytes(ip), bits);
}

static bool matches_name(struct str item, struct str host)
{
	bool only_below = false;
	struct str below;

	if (str_starts_with(item, STR("*.")))
		item = str_from_pos(item, 1);
	if (str_starts_with(item, STR("."))) {
		only_below = true;
		item = str_from_pos(item, 1);
	}
	if (str_is_empty(item) || host.len < item.len)
		return false;
	if (host.len == item.len)
		return !only_below && str_equal_nocase(host, item);
	below = str_from_pos(host, host.len - item.len);
	return host.at[host.len - item.len - 1] == '.' && str_equal_nocase(below, item);
}

/* Cuts ":port" off; false if it is another port. An IPv6 literal has brackets then. */
static bool cut_port(struct str *item, uint16_t port)
{
	size_t colon = str_find_last(*item, ':');
	bool has_brackets = str_starts_with(*item, STR("["));
	uint64_t number;

	if (colon < item->len && (has_brackets || str_find(*item, ':') == colon) &&
	    str_to_uint64(str_from_pos(*item, colon + 1), &number)) {
		if (number != port)
			return false;
		*item = str_first(*item, colon);
	}
	if (has_brackets && str_ends_with(*item, STR("]")))
		*item = str_of(item->at + 1, item->len - 2);
	return true;
}

static struct str without_final_dot(struct str name)
{
	return str_first(name, name.len - (str_ends_with(name, STR(".")) ? 1 : 0));
}

static bool matches(struct str item, struct str host, uint16_t port)
{
	struct addr ip;

	if (!cut_port(&item, port))
		return false;
	if (str_equal(item, STR("*")))
		return true;
	if (addr_from_ip(host, 0, &ip))
		return matches_network(item, &ip);
	return matches_name(without_final_dot(item), without_final_dot(host));
}

bool proxy_is_exempt(struct str no_proxy, struct str host, uint16_t port)
{
	struct str list;

	while (str_cut(&no_proxy, ',', &list)) {
		struct str item;

		while (str_cut(&list, ' ', &item)) {
			item = str_trim(item);
			if (!str_is_empty(item) && matches(item, host, port))
				return true;
		}
	}
	return false;
}

void proxy_url_write_authorization(const struct proxy_url *url, struct buf *out)
{
	struct buf plain = BUF_INIT(PROXY_AUTHORIZATION_MAX);

	if (!url->user)
		return;
	(void)buf_append_str(&plain, str_from(url->user)); /* all fit */
	(void)buf_append_char(&plain, ':');
	(void)buf_append_str(&plain, str_from(url->password));
	(void)buf_append_str(out, STR("Basic "));
	(void)base64_encode(out, BASE64_STANDARD, plain.data, plain.len);
	buf_done_secret(&plain);
}
