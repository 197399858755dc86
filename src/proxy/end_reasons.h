#pragma once

/*
 * end_reasons.h - why the gateway has ended tunnels, for their clients to ask afterwards
 *
 * HTTP/1.1 has nothing that could be said behind the bytes of a tunnel. So a client that saw its tunnel cut may ask, with the
 * tunnel's id, which only it was told.
 *
 * Ownership  Part of the control.
 * Threads    Any.
 * Limits     END_REASONS_MAX are remembered: the oldest is forgotten.
 */

#include "base/str.h"

#define END_REASONS_MAX 4096

/* Where they ask: GET answers {"reason":"session-revoked"} or 404. */
#define TUNNEL_END_PATH "/.pomerium/api/v1/tunnels/*/end"

struct end_reasons;

struct end_reasons *end_reasons_new(void);
void end_reasons_free(struct end_reasons *reasons); /* NULL is ignored */

/* tunnel_id: a UUID as text. reason: static text. */
void end_reasons_put(struct end_reasons *reasons, struct str tunnel_id, const char *reason);

/* NULL: not known, or not any more. */
const char *end_reasons_find(struct end_reasons *reasons, struct str tunnel_id);
