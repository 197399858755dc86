#pragma once

/*
 * sign_out.h - the end of a session that its owner asks for: here, and at the provider its login came from
 */

#include "proxy/exchange.h"

/*
 * As a stage: answers with answer, or that the store is away. id has to live as long as the exchange. location: where a
 * browser has to go for the login at the provider to end as well; may be empty.
 */
enum step sign_out_session(struct exchange *x, struct str id,
			   enum step (*answer)(struct exchange *x, struct str location));
