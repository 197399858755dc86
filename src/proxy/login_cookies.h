#pragma once

/*
 * login_cookies.h - the cookies of the login (protocol.md 3.7); values live in the exchange's arena
 */

#include "base/str.h"
#include "proxy/exchange.h"

enum login_cookie {
	LOGIN_COOKIE_SESSION,      /* <cookie_name>: the session, on a route's host */
	LOGIN_COOKIE_AUTHENTICATE, /* <cookie_name>_authenticate: the session, on the login host */
	LOGIN_COOKIE_CSRF,         /* <cookie_name>_csrf: of our own forms */
};

struct str login_cookie_name(struct exchange *x, enum login_cookie cookie);

/* <cookie_name>_pkce_<login_id>: what one login at a provider has to be continued with. */
struct str pkce_cookie_name(struct exchange *x, struct str login_id);

/* Set-Cookie values. A session token: lives as long as a login does. */
struct str login_cookie(struct exchange *x, enum login_cookie cookie, struct str token);

/* The CSRF token of our forms: 12 hours, never sent along from other sites. */
struct str csrf_cookie(struct exchange *x, struct str token);

/* Five minutes, for the callback path alone; sent when the provider sends the browser back. */
struct str pkce_cookie(struct exchange *x, struct str login_id, struct str value);

/* Make the browser forget it. */
struct str cleared_cookie(struct exchange *x, enum login_cookie cookie);
struct str cleared_pkce_cookie(struct exchange *x, struct str login_id);
