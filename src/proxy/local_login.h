#pragma once

/*
 * local_login.h - from a filled-in login form to a session (extensions.md 2)
 */

#include "base/str.h"
#include "proxy/exchange.h"

struct login_form {
	struct str email;
	struct str password; /* wiped with the request */
	struct str next;     /* a genuine sign-in URL: path and query */
	struct str problem;  /* shown above the form */
	unsigned retry_after_s;
};

/* Sends the browser to our own login page; next: the sign-in URL it comes back to. */
enum step local_login_begin(struct exchange *x, struct str next);

/* The page with the form, keeping what was filled in but the password. */
enum step local_login_show_form(struct exchange *x, int status, const struct login_form *form);

/* Asks the guard, then checks the password on a helper thread; answers with a redirect to next or with the form again. */
enum step local_login_check_password(struct exchange *x, const struct login_form *form);
