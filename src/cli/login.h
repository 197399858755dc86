#pragma once

/*
 * login.h - one login at a time, for everybody who needs one, in this process and in the user's others
 *
 * The first who waits starts it, the others join; the result goes to the credentials, where each finds it. If another process
 * is at it, its login is waited for. With a browser here it is used, else that of another machine (device_login, or an
 * address that is pasted). A service account takes the place of all that.
 *
 * Ownership  Embedded in its user; what the options name is borrowed. A waiter is embedded in its owner, who cancels it
 *            before it goes.
 * Threads    One loop.
 * Errors     To every waiter, later.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/str.h"
#include "cli/browser_login.h"
#include "io/loop.h"

struct credentials;
struct device_login;
struct login_lock;

struct login_options {
	struct browser_login_options browser;
	struct credentials *credentials;
	struct str service_account; /* empty: sign in with the browser */
};

struct login {
	struct login_options options;
	bool is_under_way;
	struct login_lock *lock; /* from then on until it has ended; these one after the other: */
	struct device_login *device;
	struct browser_login *browser;
	struct buf refused; /* the token that is not good */
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
