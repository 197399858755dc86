#include "io/proxy_protocol_v2.h"

#include <string.h>

#define COMMAND_LOCAL 0x20 /* version 2 in the upper half */
#define COMMAND_PROXY 0x21

#define FAMILY_UNSPECIFIED 0x00
#define TCP_OVER_IP4       0x11
#define TCP_OVER_IP6       0x21

#define TLV_HEAD_SIZE   3
#define TLV_CRC32C      0x03
#define TLV_CRC32C_SIZE 4

static enum proxy_header_result bad(struct err *e, const char *why)
{
	(void)err_set(e, ERR_PROTOCOL, "PROXY protocol: %s", why);
	return PROXY_HEADER_BAD;
}

static uint16_t get_uint16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get_uint32(const uint8_t *at)
{
	return (uint32_t)get_uint16(at) << 16 | get_uint16(at + 2);
}

/* Bit by bit: a header is a few dozen bytes. */
uint32_t proxy_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *at = data;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return ~crc;
}

/* The sum is over the whole header with zeros in its own place. */
static bool is_sum_right(struct str data, size_t sum_at)
{
	static const uint8_t zeros[TLV_CRC32C_SIZE];
	const uint8_t *bytes = (const uint8_t *)data.at;
	size_t after = sum_at + TLV_CRC32C_SIZE;
	uint32_t crc = proxy_crc32c(0, bytes, sum_at);

	crc = proxy_crc32c(crc, zeros, sizeof(zeros));
	crc = proxy_crc32c(crc, bytes + after, data.len - after);
	return crc == get_uint32(bytes + sum_at);
}

static bool check_tlvs(struct str data, size_t at, struct err *e)
{
	const uint8_t *bytes = (const uint8_t *)data.at;

	while (at < data.len) {
		size_t left = data.len - at;
		size_t len = left < TLV_HEAD_SIZE ? 0 : get_uint16(bytes + at + 1);

		if (left < TLV_HEAD_SIZE || len > left - TLV_HEAD_SIZE) {
			(void)bad(e, "what follows the addresses is cut short");
			return false;
		}
		if (bytes[at] == TLV_CRC32C &&
		    (len != TLV_CRC32C_SIZE || !is_sum_right(data, at + TLV_HEAD_SIZE))) {
			(void)bad(e, "the checksum is wrong");
			return false;
		}
		at += TLV_HEAD_SIZE + len;
	}
	return true;
}

static void get_ip4(const uint8_t *at, struct proxy_header *ret)
{
	ret->has_addresses = true;
	ret->source.ip4.sin_family = AF_INET;
	ret->destination.ip4.sin_family = AF_INET;
	memcpy(&ret->source.ip4.sin_addr, at, 4);
	memcpy(&ret->destination.ip4.sin_addr, at + 4, 4);
	addr_set_port(&ret->source, get_uint16(at + 8));
	addr_set_port(&ret->destination, get_uint16(at + 10));
}

static void get_ip6(const uint8_t *at, struct proxy_header *ret)
{
	ret->has_addresses = true;
	ret->source.ip6.sin6_family = AF_INET6;
	ret->destination.ip6.sin6_family = AF_INET6;
	memcpy(&ret->source.ip6.sin6_addr, at, 16);
	memcpy(&ret->destination.ip6.sin6_addr, at + 16, 16);
	addr_set_port(&ret->source, get_uint16(at + 32));
	addr_set_port(&ret->destination, get_uint16(at + 34));
}

/* Valid families without a get are for what we are not: the addresses of the socket hold. */
static const struct family {
	uint8_t code;
	uint8_t size;
	void (*get)(const uint8_t *at, struct proxy_header *ret);
} families[] = {
	{ TCP_OVER_IP4, 12, get_ip4 }, { 0x12, 12, NULL },
	{ TCP_OVER_IP6, 36, get_ip6 }, { 0x22, 36, NULL },
	{ 0x31, 216, NULL },           { 0x32, 216, NULL },
};

static const struct family *find_family(uint8_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].code == code)
			return &families[i];
	return NULL;
}

static enum proxy_header_result parse_proxied(struct str data, struct proxy_header *ret,
					      struct err *e)
{
	const uint8_t *bytes = (const uint8_t *)data.at;
	const struct family *family = find_family(bytes[13]);
	struct proxy_header header = { 0 };

	if (!family)
		return bad(e, "the family of the addresses is unknown");
	if (data.len < PROXY_V2_FIXED_SIZE + (size_t)family->size)
		return bad(e, "the addresses are cut short");
	if (!check_tlvs(data, PROXY_V2_FIXED_SIZE + (size_t)family->size, e))
		return PROXY_HEADER_BAD;
	if (family->get)
		family->get(bytes + PROXY_V2_FIXED_SIZE, &header);
	*ret = header;
	return PROXY_HEADER_COMPLETE;
}

enum proxy_header_result proxy_header_parse_v2(struct str data, struct proxy_header *ret,
					       size_t *ret_need, struct err *e)
{
	const uint8_t *bytes = (const uint8_t *)data.at;
	size_t size = PROXY_V2_FIXED_SIZE + (size_t)get_uint16(bytes + 14);

	if (bytes[12] != COMMAND_LOCAL && bytes[12] != COMMAND_PROXY)
		return bad(e, "the version or the command is unknown");
	if (size > PROXY_HEADER_V2_MAX)
		return bad(e, "the header is too long");
	if (data.len > size)
		return bad(e, "there are bytes behind the header");
	if (data.len < size) {
		*ret_need = size - data.len;
		return PROXY_HEADER_MORE;
	}
	/* What is not about a connection of somebody else is not looked at. */
	if (bytes[12] == COMMAND_PROXY && bytes[13] != FAMILY_UNSPECIFIED)
		return parse_proxied(data, ret, e);
	*ret = (struct proxy_header){ 0 };
	return PROXY_HEADER_COMPLETE;
}
