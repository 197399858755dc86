#pragma once

/*
 * authorize.h - stage: is it allowed? (policy-language.md 3)
 */

#include "proxy/exchange.h"

enum step stage_authorize(struct exchange *x);
