#pragma once

/*
 * authorize.h - stage: may this session do that? (policy-language.md 3)
 */

#include "proxy/exchange.h"

/*
 * What the policy of x->route says of x as things are now: its session, its certificate, the time. For tunnels; changes
 * nothing, so that an open one can be asked again (recheck.h). Returns the first moment at which time may change what the
 * certificate is worth, INT64_MAX if never; when time changes the rest, the policy and the session know.
 */
int64_t authorize_decide(const struct exchange *x, struct decision *ret);

enum step stage_authorize(struct exchange *x);

/* The answer to a decision that is not POLICY_ALLOW. */
enum step authorize_refuse(struct exchange *x);
