#pragma once

/*
 * oidc_login.h - a login at an external identity provider (protocol.md 3.4 steps 3 and 4)
 *
 * The way back is the endpoint /oauth2/callback, in oidc_callback.c.
 */

#include "proxy/exchange.h"
#include "proxy/idp.h"

/* Where the provider sends the browser back to. */
struct str oidc_redirect_uri(struct exchange *x);

/* Sends the browser to the provider; next: the sign-in URL it comes back to in the end, path and query. */
enum step oidc_login_begin(struct exchange *x, const struct idp *idp, struct str next);

/* The page for a provider that cannot be used now, or did not take what it was given; and the log's line. */
enum step oidc_login_fail(struct exchange *x, bool is_temporary, const struct err *e);
