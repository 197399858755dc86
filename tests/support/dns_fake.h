#pragma once

/*
 * dns_fake.h - a name server on the loop of the test
 *
 * Answers A and AAAA questions from a table, over UDP and TCP on one port of 127.0.0.1; what is not in the table does not
 * exist. Handles one TCP connection at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define DNS_FAKE_ADDRESSES_MAX 20

struct loop;
struct dns_fake;

struct dns_fake_name {
	const char *name;
	const char
		*addresses[DNS_FAKE_ADDRESSES_MAX]; /* literals of both families, ends with NULL */
	uint32_t ttl_s;
	bool is_truncated; /* over UDP only "ask again over TCP" is said */
	bool is_silent;    /* never answered */
};

/* The table ends with a NULL name and is borrowed. */
struct dns_fake *dns_fake_open(struct loop *loop, const struct dns_fake_name *names);
void dns_fake_address(const struct dns_fake *dns, struct addr *ret);
unsigned dns_fake_questions(const struct dns_fake *dns);
void dns_fake_close(struct dns_fake *dns);
