/*
 * socks5_server.c - two messages, each looked at only when it is whole
 */

#include "cli/socks5_server.h"

#include <stdio.h>

#include "base/addr.h"
#include "base/url.h"

#define VERSION   5
#define NO_AUTH   0
#define NO_METHOD 0xff
#define CONNECT   1
#define TYPE_IP4  1
#define TYPE_NAME 3
#define TYPE_IP6  4
#define HEAD_LEN  4 /* version, command, reserved, type of address */
#define PORT_LEN  2

void socks5_server_answer(enum socks5_answer answer, struct buf *reply)
{
	/* Where the other end is bound is nobody's business: all zeros. */
	const uint8_t message[] = { VERSION, (uint8_t)answer, 0, TYPE_IP4, 0, 0, 0, 0, 0, 0 };

	(void)buf_append(reply, message, sizeof(message)); /* looked at by who sends it */
}

static enum socks5_event refuse(enum socks5_answer answer, struct buf *reply)
{
	socks5_server_answer(answer, reply);
	return SOCKS5_BAD;
}

static enum socks5_event take_greeting(struct socks5_server *s, struct buf *data, struct buf *reply)
{
	const uint8_t *at = data->data;
	uint8_t method = NO_METHOD;
	uint8_t message[] = { VERSION, NO_METHOD };

	if (data->len < 1)
		return SOCKS5_MORE;
	if (at[0] != VERSION)
		return SOCKS5_BAD;
	if (data->len < 2 || data->len < 2u + at[1])
		return SOCKS5_MORE;
	for (size_t i = 0; i < at[1]; i++)
		if (at[2 + i] == NO_AUTH)
			method = NO_AUTH;
	message[1] = method;
	(void)buf_append(reply, message, sizeof(message)); /* looked at by who sends it */
	buf_consume(data, 2u + at[1]);
	s->has_greeting = true;
	return method == NO_AUTH ? SOCKS5_MORE : SOCKS5_BAD;
}

/* Length of the address behind the head, its own length byte included; 0: not known yet, or no such type. */
static size_t address_len(const struct buf *data)
{
	switch (data->data[3]) {
	case TYPE_IP4:
		return 4;
	case TYPE_IP6:
		return 16;
	case TYPE_NAME:
		return data->len > HEAD_LEN ? 1u + data->data[HEAD_LEN] : 0;
	default:
		return 0;
	}
}

static void format_ip(const uint8_t *at, uint8_t type, uint16_t port, struct socks5_server *s)
{
	struct addr address = { 0 };
	char text[ADDR_TEXT_MAX];

	if (type == TYPE_IP4) {
		address.ip4.sin_family = AF_INET;
		memcpy(&address.ip4.sin_addr, at, 4);
	} else {
		address.ip6.sin6_family = AF_INET6;
		memcpy(&address.ip6.sin6_addr, at, 16);
	}
	addr_set_port(&address, port);
	addr_format(&address, text);
	(void)snprintf(s->target, sizeof(s->target), "%s", text); /* fits */
}

/* False for what is no name, port 0 included. */
static bool read_target(const uint8_t *at, uint8_t type, size_t len, struct socks5_server *s)
{
	uint16_t port = (uint16_t)((at[len] << 8) | at[len + 1]);
	struct authority ignored;
	struct str name;

	if (type != TYPE_NAME) {
		format_ip(at, type, port, s);
	} else {
		name = str_of(at + 1, len - 1);
		if (!str_is_printable_ascii(name))
			return false;
		/* Some programs give an address as a name, also one of IPv6. */
		(void)snprintf(s->target, sizeof(s->target),
			       str_find(name, ':') < name.len ? "[%.*s]:%u" : "%.*s:%u",
			       STR_FMT(name), (unsigned)port); /* fits */
	}
	return authority_parse_connect(str_from(s->target), &ignored, NULL) == 0;
}

static enum socks5_event take_request(struct socks5_server *s, struct buf *data, struct buf *reply)
{
	const uint8_t *at = data->data;
	uint8_t type;
	size_t len;

	if (data->len < HEAD_LEN)
		return SOCKS5_MORE;
	if (at[0] != VERSION || at[2] != 0)
		return refuse(SOCKS5_FAILED, reply);
	if (at[1] != CONNECT)
		return refuse(SOCKS5_NO_SUCH_COMMAND, reply);
	type = at[3];
	if (type != TYPE_IP4 && type != TYPE_IP6 && type != TYPE_NAME)
		return refuse(SOCKS5_NO_SUCH_ADDRESS, reply);
	len = address_len(data);
	if (len == 0 || data->len < HEAD_LEN + len + PORT_LEN)
		return SOCKS5_MORE;
	if (!read_target(at + HEAD_LEN, type, len, s))
		return refuse(SOCKS5_FAILED, reply);
	buf_consume(data, HEAD_LEN + len + PORT_LEN);
	return SOCKS5_REQUEST;
}

enum socks5_event socks5_server_feed(struct socks5_server *s, struct buf *data, struct buf *reply)
{
	if (!s->has_greeting && take_greeting(s, data, reply) == SOCKS5_BAD)
		return SOCKS5_BAD;
	return s->has_greeting ? take_request(s, data, reply) : SOCKS5_MORE;
}
