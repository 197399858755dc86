#pragma once

/*
 * url.h - absolute URLs, authorities and query strings (RFC 3986, strict)
 *
 * Everything returned is a view into the text given.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define URL_MAX           65536
#define HOST_NAME_MAX_LEN 253

struct authority {
	struct str text;     /* as given: "host", "host:port", "[::1]:port" */
	struct str host;     /* without brackets */
	uint16_t port;       /* 0 when there is none */
	bool is_ip6_literal; /* was in brackets */
};

/*
 * host [":" port]. Refuses userinfo, empty host, empty port, port 0 and above 65535, signs and
 * blanks in the port, unbracketed IPv6, bytes outside the reg-name set. A '*' in the host is
 * accepted only when allow_wildcard is set.
 */
int authority_parse(struct str text, bool allow_wildcard, struct authority *ret, struct err *e);

/* As authority_parse() without wildcard, and the port must be there: a CONNECT target
 * (protocol.md 1.6.5). */
int authority_parse_connect(struct str text, struct authority *ret, struct err *e);

struct url {
	struct str scheme; /* as written; compare without regard to case */
	struct authority authority;
	struct str path;     /* escaped, "" or begins with '/' */
	struct str query;    /* escaped, without '?' */
	bool has_query;      /* tells "?" from nothing */
	struct str fragment; /* escaped, without '#' */
};

/* scheme "://" authority path ["?" query] ["#" fragment]; anything else is refused. */
int url_parse(struct str text, struct url *ret, struct err *e);

/* True for "localhost" and for literals in 127.0.0.0/8 and ::1. */
bool host_is_loopback(struct str host);

struct query_param {
	struct str name;
	struct str value;
};

#define QUERY_PARAMS_MAX 64

struct query {
	struct query_param items[QUERY_PARAMS_MAX];
	size_t count;
};

/* Splits at '&', unescapes into the arena. Refuses broken escapes and more than QUERY_PARAMS_MAX.
 */
int query_parse(struct str text, struct arena *arena, struct query *ret, struct err *e);

/* First value of that name; false if there is none. */
bool query_get(const struct query *q, struct str name, struct str *ret_value);

/* Appends a parameter; values are borrowed. The program guarantees that there is room. */
void query_add(struct query *q, struct str name, struct str value);

/* Removes every parameter of that name. */
void query_remove(struct query *q, struct str name);

/* Sorted by name (bytewise, stable), escaped: the canonical form of protocol.md 3.2. */
int query_format_canonical(const struct query *q, struct buf *out);
