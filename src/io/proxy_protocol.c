/*
 * One pass over what is there, from the start each time: the header is short, and only its last byte makes it one. How
 * many bytes may follow is the least that the rest of the header can be, so that a read of that many never reaches
 * the bytes behind it.
 */

#include "io/proxy_protocol.h"

#include <string.h>

#include "io/proxy_protocol_v2.h"

static const struct str v1_prefix = { .at = "PROXY ", .len = 6 };

/* "PROXY UNKNOWN" CR LF: the shortest header of both versions. */
#define SHORTEST 15

static enum proxy_header_result bad(struct err *e, const char *why)
{
	(void)err_set(e, ERR_PROTOCOL, "PROXY protocol: %s", why);
	return PROXY_HEADER_BAD;
}

static enum proxy_header_result need(size_t *ret_need, size_t count)
{
	*ret_need = count;
	return PROXY_HEADER_MORE;
}

/* ---- version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443" CR LF ---- */

static bool parse_port(struct str text, uint16_t *ret)
{
	uint64_t port;

	if (text.len > 5 || (text.len > 1 && text.at[0] == '0') || !str_to_uint64(text, &port) ||
	    port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool parse_address(struct str ip, struct str port_text, int family, struct addr *ret)
{
	uint16_t port;

	return parse_port(port_text, &port) && addr_from_ip(ip, port, ret) &&
	       ret->any.sa_family == family;
}

static enum proxy_header_result parse_fields(struct str fields, int family,
					     struct proxy_header *ret, struct err *e)
{
	struct proxy_header header = { .has_addresses = true };
	struct str field[4];

	for (size_t i = 0; i < ARRAY_LEN(field); i++)
		if (!str_cut(&fields, ' ', &field[i]))
			return bad(e, "there are too few fields");
	if (fields.at)
		return bad(e, "there are too many fields");
	if (!parse_address(field[0], field[2], family, &header.source) ||
	    !parse_address(field[1], field[3], family, &header.destination))
		return bad(e, "an address or a port is not one");
	*ret = header;
	return PROXY_HEADER_COMPLETE;
}

/* The least that is missing: for each space that is not there itself and a character, and the end of the line. */
static size_t least_missing(struct str fields)
{
	size_t spaces = 0;
	size_t missing = 2;

	for (size_t i = 0; i < fields.len; i++)
		spaces += fields.at[i] == ' ';
	if (fields.len == 0 || fields.at[fields.len - 1] == ' ')
		missing++;
	return spaces < 3 ? missing + (3 - spaces) * 2 : missing;
}

/* Looks for the end of the line: where it is, or line.len. False for bytes that no line has. */
static bool find_end(struct str line, size_t *ret_end)
{
	size_t end = str_find(line, '\r');
	struct str after = str_from_pos(line, end);

	*ret_end = end;
	return str_is_printable_ascii(str_first(line, end)) &&
	       (after.len <= 1 || str_equal(after, STR("\r\n")));
}

static enum proxy_header_result parse_v1(struct str line, struct proxy_header *ret,
					 size_t *ret_need, struct err *e)
{
	struct str rest = str_from_pos(line, v1_prefix.len);
	bool is_ip4 = str_starts_with(rest, STR("TCP4 "));
	bool has_fields = is_ip4 || str_starts_with(rest, STR("TCP6 "));
	size_t end;
	size_t missing;

	if (!has_fields && !str_starts_with(rest, STR("UNKNOWN ")) &&
	    !str_starts_with(rest, STR("UNKNOWN\r")))
		return bad(e, "the protocol is neither TCP4 nor TCP6 nor UNKNOWN");
	if (!find_end(line, &end))
		return bad(e, "there is a byte that does not belong there");
	if (end + 2 != line.len) {
		missing = end < line.len ? 1 : 2;
		if (has_fields && end == line.len)
			missing = least_missing(str_from_pos(rest, strlen("TCP4 ")));
		if (line.len + missing > PROXY_HEADER_V1_MAX)
			return bad(e, "the line is too long");
		return need(ret_need, missing);
	}
	if (has_fields)
		return parse_fields(str_first(str_from_pos(rest, strlen("TCP4 ")),
					      end - v1_prefix.len - strlen("TCP4 ")),
				    is_ip4 ? AF_INET : AF_INET6, ret, e);
	*ret = (struct proxy_header){ 0 };
	return PROXY_HEADER_COMPLETE;
}

/* ---- both ---- */

static bool may_become(struct str data, struct str prefix)
{
	return str_equal(str_first(data, prefix.len), str_first(prefix, data.len));
}

enum proxy_header_result proxy_header_parse(struct str data, struct proxy_header *ret,
					    size_t *ret_need, struct err *e)
{
	struct str v2_signature = str_of(PROXY_V2_SIGNATURE, PROXY_V2_SIGNATURE_SIZE);

	if (data.len == 0)
		return need(ret_need, SHORTEST);
	if (may_become(data, v2_signature)) {
		if (data.len < PROXY_V2_FIXED_SIZE)
			return need(ret_need, PROXY_V2_FIXED_SIZE - data.len);
		return proxy_header_parse_v2(data, ret, ret_need, e);
	}
	if (!may_become(data, v1_prefix))
		return bad(e, "the connection does not begin with a header");
	if (data.len < SHORTEST)
		return need(ret_need, SHORTEST - data.len);
	return parse_v1(data, ret, ret_need, e);
}
