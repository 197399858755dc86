#pragma once

/*
 * route.h - stage: what is asked for, a route's tunnel or one of our own URLs?
 */

#include "proxy/exchange.h"

enum step stage_route(struct exchange *x);
