#pragma once

/*
 * tunnel.h - stage: answer the CONNECT with 200 and relay until the end (protocol.md 1.8.4)
 */

#include "base/compiler.h"
#include "proxy/exchange.h"

enum step tunnel_serve(struct exchange *x);
