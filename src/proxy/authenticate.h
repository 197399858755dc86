#pragma once

/*
 * authenticate.h - stage: which session does the request belong to? (protocol.md 2.1, 2.2)
 */

#include <stdbool.h>

#include "base/str.h"
#include "proxy/exchange.h"

enum step stage_authenticate(struct exchange *x);

/*
 * The live session a token names, referenced, and no problem; or NULL and why not: "session-unknown", "session-expired".
 * The token's user must still exist with the password the session was made with.
 */
struct session *authenticate_token(struct exchange *x, struct str token, const char **ret_problem);

/* Whether a program showed a token, good or bad, in a header or the query; also behind a cookie, which counts first. */
bool request_shows_token(struct exchange *x);

#define COOKIE_SESSION      "_pomerium"
#define COOKIE_AUTHENTICATE "_pomerium_authenticate"
#define COOKIE_CSRF         "_pomerium_csrf"
