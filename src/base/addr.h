#pragma once

/*
 * addr.h - socket addresses: IPv4 and IPv6 with port
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "base/err.h"
#include "base/str.h"

struct addr {
	union {
		struct sockaddr any;
		struct sockaddr_in ip4;
		struct sockaddr_in6 ip6;
	};
};

#define ADDR_TEXT_MAX 64

socklen_t addr_len(const struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);

/* From an IP literal without brackets. False if it is not one. */
bool addr_from_ip(struct str ip, uint16_t port, struct addr *ret);

/* The same, or with what addr_format() adds: a port, brackets around IPv6. The port read is dropped. */
bool addr_from_ip_or_pair(struct str text, struct addr *ret);

/* "127.0.0.1:80", "[::1]:80"; NUL-terminated. IPv4-mapped addresses are shown as IPv4. */
void addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* The same without port and brackets. */
void addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);

/*
 * A listening address (configuration.md 1.1): "host:port" with an IP literal or "localhost", or
 * ":port" for every interface (IPv6 any, meant to be bound for both families). Port 0 is accepted:
 * the kernel chooses.
 */
int addr_parse_listen(struct str text, struct addr *ret, struct err *e);
