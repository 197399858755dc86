/*
 * The other half of proxy_protocol.h. Both addresses of a header are of one family: if they are not, the IPv4 one is written as
 * an IPv4-mapped IPv6 address; if both can be IPv4, they are.
 */

#include "io/proxy_protocol.h"

#include <arpa/inet.h>
#include <string.h>

#define V2_PROXY    0x21
#define V2_LOCAL    0x20
#define V2_TCP4     0x11
#define V2_TCP6     0x21
#define V2_LEN_TCP4 12
#define V2_LEN_TCP6 36

static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

struct pair {
	bool is_ip4;
	struct in6_addr source; /* IPv4-mapped if is_ip4 */
	struct in6_addr destination;
	uint16_t source_port;
	uint16_t destination_port;
};

static struct in6_addr as_ip6(const struct addr *a)
{
	struct in6_addr ip6 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (a->any.sa_family == AF_INET6)
		return a->ip6.sin6_addr;
	memcpy(&ip6.s6_addr[12], &a->ip4.sin_addr, sizeof(a->ip4.sin_addr));
	return ip6;
}

/* False: there is nothing to tell. */
static bool make_pair(const struct proxy_header *header, struct pair *ret)
{
	const struct addr *source = &header->source;
	const struct addr *destination = &header->destination;

	if (!header->has_addresses || addr_len(source) == 0 || addr_len(destination) == 0)
		return false;
	*ret = (struct pair){
		.source = as_ip6(source),
		.destination = as_ip6(destination),
		.source_port = addr_port(source),
		.destination_port = addr_port(destination),
	};
	ret->is_ip4 = IN6_IS_ADDR_V4MAPPED(&ret->source) && IN6_IS_ADDR_V4MAPPED(&ret->destination);
	return true;
}

/* An IPv4-mapped one stays what it is where the family is IPv6: addr_format_ip() would shorten it. */
static void format_ip(const struct pair *pair, const struct in6_addr *ip,
		      char out[INET6_ADDRSTRLEN])
{
	const void *bytes = pair->is_ip4 ? (const void *)&ip->s6_addr[12] : ip;

	(void)inet_ntop(pair->is_ip4 ? AF_INET : AF_INET6, bytes, out, INET6_ADDRSTRLEN); /* fits */
}

int proxy_header_write_v1(struct buf *out, const struct proxy_header *header)
{
	struct pair pair;
	char source[INET6_ADDRSTRLEN];
	char destination[INET6_ADDRSTRLEN];

	if (!make_pair(header, &pair))
		return buf_append_str(out, STR("PROXY UNKNOWN\r\n"));
	format_ip(&pair, &pair.source, source);
	format_ip(&pair, &pair.destination, destination);
	return buf_printf(out, "PROXY %s %s %s %u %u\r\n", pair.is_ip4 ? "TCP4" : "TCP6", source,
			  destination, (unsigned)pair.source_port, (unsigned)pair.destination_port);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static uint8_t *put_port(uint8_t *at, uint16_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
	return at + 2;
}

int proxy_header_write_v2(struct buf *out, const struct proxy_header *header)
{
	uint8_t bytes[16 + V2_LEN_TCP6] = { 0 };
	uint8_t *at = put(bytes, v2_signature, sizeof(v2_signature) - 1);
	struct pair pair;
	size_t skipped;

	*at = V2_LOCAL;
	if (!make_pair(header, &pair))
		return buf_append(out, bytes, 16);
	skipped = pair.is_ip4 ? 12 : 0;
	*at++ = V2_PROXY;
	*at++ = pair.is_ip4 ? V2_TCP4 : V2_TCP6;
	at = put_port(at, pair.is_ip4 ? V2_LEN_TCP4 : V2_LEN_TCP6);
	at = put(at, &pair.source.s6_addr[skipped], 16 - skipped);
	at = put(at, &pair.destination.s6_addr[skipped], 16 - skipped);
	at = put_port(at, pair.source_port);
	at = put_port(at, pair.destination_port);
	return buf_append(out, bytes, (size_t)(at - bytes));
}
