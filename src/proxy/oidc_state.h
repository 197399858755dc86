#pragma once

/*
 * oidc_state.h - what a login at an identity provider carries with it (protocol.md 3.4 steps 3 and 4)
 *
 * The state goes to the provider and back; the cookie stays in the browser that began. Both are sealed under the cookie key and
 * belong together by the login's id: a state shown by another browser, or twice, is refused, because its cookie is not
 * there. Nothing is kept on this side, so that any gateway of the same secrets can finish the login.
 *
 * Results live in the exchange's arena.
 */

#include "base/err.h"
#include "base/str.h"
#include "proxy/exchange.h"

#define OIDC_STATE_LIFE_S 300
#define OIDC_LOGIN_ID_LEN 32

struct oidc_state {
	struct str login_id;
	struct str idp_id;
	struct str next; /* the sign-in URL that began it: path and query */
	/* from the cookie */
	struct str nonce;
	struct str code_verifier;
};

/* A new login: fills in login_id, nonce and code_verifier; gives the state parameter and the cookie's value. */
int oidc_state_begin(struct exchange *x, struct oidc_state *state, struct str *ret_state,
		     struct str *ret_cookie);

/* Back from the provider. */
int oidc_state_continue(struct exchange *x, struct str text, struct oidc_state *ret, struct err *e);
