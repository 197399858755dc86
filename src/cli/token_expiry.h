#pragma once

/*
 * token_expiry.h - what a token says of its own end; its signature is the gateway's to check
 */

#include <stdint.h>

#include "base/str.h"

/* The "exp" of a JWS in compact form, in seconds since 1970; 0: it has none, or is something else. */
int64_t token_expiry(struct str token);
