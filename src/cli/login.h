#pragma once

/*
 * login.h - one login at a time, for everybody who needs one
 *
 * The first who waits starts it, the others join; the result goes to the credentials, where each finds it. A service
 * account takes the place of the browser.
 *
 * Ownership  Embedded in its user; what the options name is borrowed. A waiter is embedded in its owner, who cancels it
 *            before it goes.
 * Threads    One loop.
 * Errors     To every waiter, later.
 */

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"
#include "cli/browser_login.h"
#include "io/loop.h"

struct credentials;

struct login_options {
	struct browser_login_options browser;
	struct credentials *credentials;
	struct str service_account; /* empty: sign in with the browser */
};

struct login {
	struct login_options options;
	struct browser_login *browser; /* while one is under way */
	struct list waiters;
	struct later later; /* tells the waiters */
	struct err failure; /* ERR_NONE: the credentials have a token */
};

struct login_waiter {
	struct list_node node;
	/* e NULL: the credentials have a new token. */
	void (*on_done)(struct login_waiter *waiter, const struct err *e);
};

void login_init(struct login *login, const struct login_options *options);

/* Ends a login under way; the waiters hear nothing. */
void login_done(struct login *login);

/* refused_token: what the gateway did not accept, may be empty. */
void login_wait(struct login *login, struct login_waiter *waiter, struct str refused_token,
		void (*on_done)(struct login_waiter *waiter, const struct err *e));

/* on_done will not run; the login goes on. */
void login_waiter_cancel(struct login_waiter *waiter);
