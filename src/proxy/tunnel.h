#pragma once

/*
 * tunnel.h - stage: answer the CONNECT with 200 and relay until the end (protocol.md 1.8.4)
 *
 * Connecting may have taken seconds: what was allowed before it is asked once more, and is refused if it is not allowed any more.
 */

#include "base/compiler.h"
#include "proxy/exchange.h"

enum step tunnel_serve(struct exchange *x);

/* So that its client can ask why the gateway has ended it (end_reasons.h). end_reason: static text. */
void tunnel_remember_end(const struct exchange *x, const char *end_reason);

/* Right before it is cut: what can be said to the client in its own framing. end_reason: static text. */
void tunnel_explain_end(const struct exchange *x, const char *end_reason);
