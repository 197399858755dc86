#pragma once

/*
 * audit.h - the log lines that say who did what (protocol.md 7.2, 7.3, extensions.md 6)
 */

#include <stdbool.h>

#include "proxy/exchange.h"

/* "authorize check": one per decision. */
void audit_authorize(const struct exchange *x);

/* "tunnel opened": when the 200 is sent. */
void audit_tunnel_opened(const struct exchange *x);

/* "http-request": one per request, when it ends. */
void audit_request(const struct exchange *x);

/* So much waits for the audit file that no tunnel may be begun (extensions.md 6, audit_overflow: block). */
bool audit_is_blocked(const struct exchange *x);
