#pragma once

/*
 * destination.h - what the user wants to reach, and through which gateway (protocol.md 8.3)
 *
 * Forms: "host:port"; "scheme://host:port" (the gateway is that host, on the scheme's port); "scheme://gateway[:port]/host:port".
 * A prefix "tcp+" or "udp+" of the scheme is dropped; the scheme is then https or http.
 *
 * Ownership  destination_done() releases what destination_parse() has filled in.
 * Errors     ERR_CONFIG with a sentence.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct destination {
	char *target;       /* the CONNECT target, verbatim: "redis.example.com:6379" */
	char *gateway_host; /* without brackets */
	char *gateway_name; /* "host:port", IPv6 in brackets, the port always there: the cache's key */
	char *gateway_url; /* "https://host:port" */
	char *gateway_authority; /* as gateway_name without the scheme's default port: for a Host header */
	uint16_t gateway_port;
	bool uses_tls;
};

/* gateway_url: the value of --pomerium-url, or NULL. */
int destination_parse(struct str text, const char *gateway_url, struct destination *ret,
		      struct err *e);

/* A gateway alone: "https://host[:port]" or "host[:port]"; the target stays empty. */
int destination_parse_server(struct str text, struct destination *ret, struct err *e);
void destination_done(struct destination *d);
