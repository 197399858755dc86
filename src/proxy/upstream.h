#pragma once

/*
 * upstream.h - stage: connect to the route's next target
 *
 * The destination the client named is never dialed, only what the route says (protocol.md 1.8).
 */

#include "proxy/exchange.h"

enum step stage_dial(struct exchange *x);
