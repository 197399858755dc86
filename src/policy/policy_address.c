/*
 * policy_address.c - source_ip: addresses and ranges
 *
 * Everything is compared as IPv6, IPv4 as ::ffff:a.b.c.d; so an IPv4 client is the same whichever socket it came through.
 * A range of IPv6 that happens to span the mapped addresses, like ::/0, is not about them.
 */

#include "policy/policy_parts.h"

#define IP4_BITS    32u
#define IP6_BITS    128u
#define MAPPED_BITS 96u

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void to_ip6(const struct addr *ip, uint8_t ret[16])
{
	if (ip->any.sa_family == AF_INET) {
		memcpy(ret, mapped_prefix, sizeof(mapped_prefix));
		memcpy(ret + sizeof(mapped_prefix), &ip->ip4.sin_addr, 4);
		return;
	}
	memcpy(ret, &ip->ip6.sin6_addr, 16);
}

static bool parse_bits(struct str text, unsigned max, unsigned *ret)
{
	uint64_t bits;

	if (text.len > 3 || !str_to_uint64(text, &bits) || bits > max)
		return false;
	*ret = (unsigned)bits;
	return true;
}

static bool parse_range(struct str text, struct ip_range *ret)
{
	size_t slash = str_find(text, '/');
	struct ip_range range = { 0 };
	struct addr ip;

	if (!addr_from_ip(str_first(text, slash), 0, &ip))
		return false;
	bool is_ip4 = ip.any.sa_family == AF_INET;

	to_ip6(&ip, range.bytes);
	range.bits = is_ip4 ? IP4_BITS : IP6_BITS;
	if (slash < text.len && !parse_bits(str_from_pos(text, slash + 1), range.bits, &range.bits))
		return false;
	if (is_ip4)
		range.bits += MAPPED_BITS;
	*ret = range;
	return true;
}

static bool range_has(const struct ip_range *range, const uint8_t bytes[16])
{
	unsigned whole = range->bits / 8;
	unsigned rest = range->bits % 8;

	if (range->bits < MAPPED_BITS && is_mapped(bytes))
		return false;
	if (memcmp(range->bytes, bytes, whole) != 0)
		return false;
	return rest == 0 || (range->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

bool ip_ranges_have(const struct ip_ranges *ranges, const struct addr *ip)
{
	uint8_t bytes[16];

	if (ip->any.sa_family != AF_INET && ip->any.sa_family != AF_INET6)
		return false;
	to_ip6(ip, bytes);
	for (size_t i = 0; i < ranges->count; i++)
		if (range_has(&ranges->items[i], bytes))
			return true;
	return false;
}

static void read_range(struct reader *r, const struct yaml_node *node, struct ip_range *ret)
{
	if (node->kind != YAML_SCALAR)
		reader_error(r, node->at,
			     "an IP address or a range like 10.0.0.0/8 is needed here");
	else if (!parse_range(node->text, ret))
		reader_error(r, node->at,
			     "\"%.*s\" is not an IP address or a range like 10.0.0.0/8",
			     STR_FMT(node->text));
}

void ip_ranges_read(struct reader *r, const struct yaml_node *node, struct ip_ranges *ret)
{
	bool is_list = node->kind == YAML_SEQUENCE;
	size_t count = is_list ? node->count : 1;
	struct ip_range *items = arena_alloc_array(&r->policy->arena, count, sizeof(*items));

	if (!is_list)
		read_range(r, node, &items[0]);
	for (size_t i = 0; is_list && i < count; i++) {
		size_t mark = reader_enter(r, "[%zu]", i);

		read_range(r, node->items[i], &items[i]);
		reader_leave(r, mark);
	}
	*ret = (struct ip_ranges){ .items = items, .count = count };
}
