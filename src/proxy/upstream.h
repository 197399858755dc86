#pragma once

/*
 * upstream.h - stage: connect to one of the route's targets
 *
 * The destination the client named is never dialed, only what the route says (protocol.md 1.8). The balancer chooses; a
 * target that cannot be connected to is followed by another one, each at most once, until UPSTREAM_TIMEOUT_MS are over.
 */

#include "io/dial.h"
#include "proxy/exchange.h"
#include "proxy/upstream_hold.h"

#define UPSTREAM_TIMEOUT_MS DIAL_TIMEOUT_MS

/* What a target gets of that time at least, however many others there are to try. */
#define UPSTREAM_ATTEMPT_MS 2000

enum step stage_dial(struct exchange *x);

enum dial_family upstream_family(enum config_dns_family family);

struct relay_options;

/*
 * Once the answer to the client is in prefix_to_a: gives the relay the connection, how long it may be idle, and what came
 * from it already, which counts as sent.
 */
void upstream_hand_over(struct exchange *x, struct relay_options *options);
