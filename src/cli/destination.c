/*
 * Views into the texts are collected first and copied only when everything is right. Two things are deliberately
 * stricter than in older clients: a destination without a port is refused here, because no gateway can accept it, and a
 * scheme that is neither https nor http is refused instead of silently meaning "without TLS".
 */

#include "cli/destination.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/url.h"

struct gateway_parts {
	struct authority authority;
	bool uses_tls;
};

static int parse_scheme(struct str scheme, bool *ret_uses_tls)
{
	if (str_starts_with_nocase(scheme, STR("tcp+")) ||
	    str_starts_with_nocase(scheme, STR("udp+")))
		scheme = str_from_pos(scheme, 4);
	if (str_equal_nocase(scheme, STR("https"))) {
		*ret_uses_tls = true;
		return 0;
	}
	if (str_equal_nocase(scheme, STR("http"))) {
		*ret_uses_tls = false;
		return 0;
	}
	return -1;
}

/* Splits scheme "://" authority [path]. The path may hold "[::1]:80", which no URL may, so it is cut off first. */
static int parse_url(struct str text, struct gateway_parts *ret, struct str *ret_path)
{
	struct gateway_parts parts;
	size_t colon = str_find(text, ':');
	struct str rest = str_from_pos(text, colon + 3);
	size_t slash = str_find(rest, '/');
	struct err ignored;

	if (!str_starts_with(str_from_pos(text, colon), STR("://")))
		return -1;
	if (parse_scheme(str_first(text, colon), &parts.uses_tls) < 0)
		return -1;
	if (authority_parse(str_first(rest, slash), false, &parts.authority, &ignored) < 0)
		return -1;
	*ret = parts;
	*ret_path = str_from_pos(rest, slash);
	return 0;
}

/* The part of the path that is the destination: its first segment; empty if there is none. */
static struct str first_segment(struct str path)
{
	struct str rest = str_from_pos(path, 1);

	return str_first(rest, str_find(rest, '/'));
}

static int invalid_destination(struct str text, const char *why, struct err *e)
{
	if (!str_is_printable_ascii(text))
		return err_set(e, ERR_CONFIG,
			       "invalid destination: it holds unprintable characters");
	return err_set(e, ERR_CONFIG, "invalid destination \"%.*s\": %s",
		       STR_FMT(str_first(text, 200)), why);
}

static int check_target(struct str text, struct str target, struct err *e)
{
	struct authority authority;
	struct err why;

	if (authority_parse(target, false, &authority, &why) < 0)
		return invalid_destination(text, why.text, e);
	if (authority.port == 0)
		return invalid_destination(text, "the port is missing, write host:port", e);
	return 0;
}

static int split_destination(struct str text, struct str *ret_target,
			     struct gateway_parts *ret_gateway, struct err *e)
{
	struct gateway_parts gateway = { .uses_tls = true };
	struct str target = text;
	struct str path;

	if (str_is_empty(text))
		return err_set(e, ERR_CONFIG, "invalid destination: it is empty");
	if (str_contains(text, STR("://"))) {
		if (parse_url(text, &gateway, &path) < 0)
			return invalid_destination(
				text, "write host:port or tcp+https://gateway/host:port", e);
		target = first_segment(path);
		if (str_is_empty(target)) {
			target = gateway.authority.text;
			gateway.authority.port = 0;
		}
	}
	if (check_target(text, target, e) < 0)
		return -1;
	if (str_is_empty(gateway.authority.host)) {
		(void)authority_parse(target, false, &gateway.authority, e); /* checked above */
		gateway.authority.port = 0;
	}
	*ret_target = target;
	*ret_gateway = gateway;
	return 0;
}

static char *format_gateway(const struct gateway_parts *gateway, const char *scheme, uint16_t port)
{
	struct buf text = BUF_INIT(HOST_NAME_MAX_LEN + 512);
	const char *open = gateway->authority.is_ip6_literal ? "[" : "";
	const char *close = gateway->authority.is_ip6_literal ? "]" : "";

	buf_printf(&text, "%s%s%.*s%s", scheme, open, STR_FMT(gateway->authority.host), close);
	if (port)
		buf_printf(&text, ":%u", (unsigned)port);
	return buf_take_string(&text);
}

static void fill(const struct gateway_parts *gateway, struct str target, struct destination *ret)
{
	uint16_t default_port = gateway->uses_tls ? 443 : 80;

	ret->uses_tls = gateway->uses_tls;
	ret->gateway_port = gateway->authority.port ? gateway->authority.port : default_port;
	ret->target = str_copy(target);
	ret->gateway_host = str_copy(gateway->authority.host);
	ret->gateway_name = format_gateway(gateway, "", ret->gateway_port);
	ret->gateway_url = format_gateway(gateway, gateway->uses_tls ? "https://" : "http://",
					  ret->gateway_port);
	ret->gateway_authority = format_gateway(
		gateway, "", ret->gateway_port == default_port ? 0 : ret->gateway_port);
}

int destination_parse(struct str text, const char *gateway_url, struct destination *ret,
		      struct err *e)
{
	struct gateway_parts gateway;
	struct str target;
	struct str ignored_path;

	if (split_destination(text, &target, &gateway, e) < 0)
		return -1;
	if (gateway_url && *gateway_url &&
	    parse_url(str_from(gateway_url), &gateway, &ignored_path) < 0)
		return err_set(
			e, ERR_CONFIG,
			"invalid pomerium url \"%.200s\": write https://host or https://host:port",
			gateway_url);
	fill(&gateway, target, ret);
	return 0;
}

int destination_parse_server(struct str text, struct destination *ret, struct err *e)
{
	struct gateway_parts gateway = { .uses_tls = true };
	struct str ignored_path;
	bool is_valid;

	if (str_contains(text, STR("://")))
		is_valid = parse_url(text, &gateway, &ignored_path) == 0;
	else
		is_valid = authority_parse(text, false, &gateway.authority, e) == 0;
	if (!is_valid && !str_is_printable_ascii(text))
		return err_set(e, ERR_CONFIG,
			       "invalid server url: it holds unprintable characters");
	if (!is_valid)
		return err_set(e, ERR_CONFIG,
			       "invalid server url \"%.*s\": write https://host or "
			       "https://host:port",
			       STR_FMT(str_first(text, 200)));
	fill(&gateway, STR(""), ret);
	return 0;
}

void destination_done(struct destination *d)
{
	mem_free(TAKE(d->target));
	mem_free(TAKE(d->gateway_host));
	mem_free(TAKE(d->gateway_name));
	mem_free(TAKE(d->gateway_url));
	mem_free(TAKE(d->gateway_authority));
}
