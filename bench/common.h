#pragma once

/*
 * common.h - what the load generator and the server behind the proxies share
 *
 * A connection begins with one order: what the server shall do, and how many bytes it is about.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define ORDER_SIZE 9

enum order_kind {
	ORDER_ECHO = 'E',    /* send back what comes, until the end */
	ORDER_SOURCE = 'S',  /* send that many bytes, then end */
	ORDER_TRICKLE = 'T', /* the same, 1 KiB at a time */
	ORDER_SINK = 'K',    /* read that many bytes, then answer with one */
};

struct order {
	enum order_kind kind;
	uint64_t bytes;
};

static inline void order_write(const struct order *order, uint8_t out[ORDER_SIZE])
{
	out[0] = (uint8_t)order->kind;
	for (int i = 0; i < 8; i++)
		out[1 + i] = (uint8_t)(order->bytes >> (8 * i));
}

static inline struct order order_read(const uint8_t in[ORDER_SIZE])
{
	struct order order = { .kind = (enum order_kind)in[0] };

	for (int i = 0; i < 8; i++)
		order.bytes |= (uint64_t)in[1 + i] << (8 * i);
	return order;
}

/* A sentence on standard error, and the end. */
noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_us(void);

/* Of an argument, which may be missing. */
size_t number(const char *text);

/* Takes as many descriptors as the system allows. */
void raise_descriptor_limit(void);

/* 127.0.0.1:port, blocking, without delay. */
int connect_loopback(uint16_t port);

/* Listens on 127.0.0.1; *port 0 becomes what the kernel chose. Non-blocking. */
int listen_loopback(uint16_t *port);
