#pragma once

/*
 * bearer.h - tokens of programs, issued by somebody else (protocol.md 2.3)
 *
 * A part of the stage in authenticate.c. What bearer_token_format says of the route, or of all where it is one of our own
 * URLs, decides who is asked: an issuer of identity_providers, or the identity provider itself.
 */

#include <stdbool.h>

#include "base/str.h"
#include "proxy/exchange.h"

/* Without asking again: what was verified by keys, what the provider was asked about, and what was refused. */
#define BEARER_KEEP_S         300
#define BEARER_KEEP_ACCESS_S  60
#define BEARER_KEEP_REFUSED_S 5

/* "Authorization: Bearer X", if that is for us to look at here. */
bool bearer_find(const struct exchange *x, struct str *ret_token);

/*
 * Goes on with found, which takes the reference to the session; or refuses the request: a bad token 403, one that nobody can
 * be asked about 503, whatever the policy.
 */
enum step bearer_look_up(struct exchange *x, struct str token,
			 enum step (*found)(struct exchange *x, struct session *session,
					    const char *problem));

/*
 * Whether the settings still let in whom such a token has let in: the format, and the issuer with one of its audiences or
 * the provider. For open tunnels; what only the token itself could tell is not looked at again.
 */
bool bearer_is_accepted(const struct exchange *x, const struct session *session);
