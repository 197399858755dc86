#pragma once

/*
 * browser_login.h - get a token by letting the person sign in with a browser (protocol.md 8.6)
 *
 * Asks the gateway's login API for the sign-in address, prints it to standard error, opens it, and waits until the
 * browser brings the token to a login_callback. A browser that does not start is a warning: the address is there.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled.
 * Errors     Only through on_done, later. Waiting for the person has no limit.
 */

#include "base/err.h"
#include "base/str.h"

#define BROWSER_LOGIN_API_TIMEOUT_MS 10000

struct browser_login;
struct events;
struct gateway;

struct browser_login_options {
	const struct gateway *gateway;
	const struct events *events;
	const char *browser; /* program, or NULL: the person opens the address */
};

/* The token is valid during the call; empty if e says what went wrong. */
struct browser_login *browser_login_start(const struct browser_login_options *options,
					  void (*on_done)(void *arg, struct str token,
							  const struct err *e),
					  void *arg);

/* on_done will not run. NULL is ignored. */
void browser_login_cancel(struct browser_login *login);

/* True for what may be printed and given to a browser: an absolute http or https URL. */
bool browser_login_is_address(struct str text);
