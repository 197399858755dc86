#pragma once

/*
 * authenticate.h - stage: which session does the request belong to? (protocol.md 2.1, 2.2)
 *
 * What the client shows is looked at here and nowhere else: x->session is whom the request comes from, x->login_session whom
 * the login host's own cookie names. A token whose session is not in memory waits for the store.
 */

#include <stdbool.h>

#include "base/str.h"
#include "proxy/exchange.h"

/* Why a credential is no good: values of x->credential_problem, words of extensions.md 5. */
#define PROBLEM_UNKNOWN     "session-unknown"
#define PROBLEM_EXPIRED     "session-expired"
#define PROBLEM_UNAVAILABLE "internal" /* the store cannot be asked: nothing is known */

enum step stage_authenticate(struct exchange *x);

/*
 * What is wrong with a session, as far as x->snapshot and x->route can tell: a value of credential_problem, or NULL. For
 * open tunnels, too. Whether the session is still in the store is not looked at.
 */
const char *session_problem(const struct exchange *x, const struct session *session);

/*
 * One that has no problem, as of now: of a user of ours, name and groups are those of the list, not those of the login. Takes the
 * reference and gives one.
 */
struct session *session_update(const struct exchange *x, struct session *session);

/* Whether a program showed a token, good or bad, in a header or the query; also behind a cookie, which counts first. */
bool request_shows_token(struct exchange *x);
