#pragma once

/*
 * session_issue.h - session tokens for browsers and programs (protocol.md 3.5)
 */

#include "proxy/exchange.h"

/* A token for the session, in the exchange's arena; empty audiences are left out. */
int session_issue_token(struct exchange *x, const struct session *session,
			struct str redirect_authority, struct str callback_authority,
			struct str *ret_token);
