#pragma once

/*
 * login_cookies.h - Set-Cookie values of the login (protocol.md 3.7); they live in the exchange's arena
 */

#include "base/str.h"
#include "proxy/exchange.h"

/* A session token as cookie: lives as long as a login does. */
struct str login_cookie(struct exchange *x, struct str name, struct str token);

/* The CSRF token of the login form: 12 hours, never sent along from other sites. */
struct str csrf_cookie(struct exchange *x, struct str token);

/* Makes the browser forget it. */
struct str cleared_cookie(struct exchange *x, struct str name);
