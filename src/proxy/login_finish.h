#pragma once

/*
 * login_finish.h - the end of every login: a session that is kept for good, and the browser is sent on
 */

#include "base/str.h"
#include "proxy/exchange.h"
#include "session/session_secrets.h"

/*
 * Stores the session (and takes the secrets, which may be NULL), then answers with the login host's cookie and a redirect to
 * next: path and query on this host. Nobody is told that he is logged in before that is durable.
 */
struct login_end {
	struct session *session;         /* the caller's */
	struct session_secrets *secrets; /* taken */
	struct str next;
	struct str
		cleared; /* Set-Cookie value that ends what the login needed; in the exchange's arena, like next */
};

enum step login_finish(struct exchange *x, const struct login_end *end);

/* The log's line about a login that succeeded or failed; problem NULL: it succeeded. */
void login_log(const struct exchange *x, struct str email, const char *problem);
