#pragma once

/*
 * route.h - stage: what is asked for, a route's tunnel or one of our own URLs?
 */

#include "proxy/exchange.h"

enum step stage_route(struct exchange *x);

/* The route that a snapshot has for a CONNECT to that authority; NULL: none. */
struct route *route_find(const struct snapshot *snapshot, struct str authority);
