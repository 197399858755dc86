#pragma once

/*
 * sign_in_url.h - the signed URLs of the login journey (protocol.md 3.1, 3.3, 3.4)
 *
 * Results live in the exchange's arena.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "proxy/exchange.h"

/* host[:port] that serves the login for this request. */
struct str authenticate_authority(const struct exchange *x);

/* True if this request came to that host. */
bool is_on_authenticate_host(const struct exchange *x);

/* The identity provider that knows the users of what was asked for; and that of a host alone. */
const struct idp *request_idp(const struct exchange *x);
const struct idp *authority_idp(const struct exchange *x, struct str authority);

/* Whether the gateway is reached under that name: the host of a route, or of the login. */
bool is_host_of_ours(const struct exchange *x, struct str host);

/* For a browser that asked for something it must log in for: back to where it was. */
int sign_in_url_for_request(struct exchange *x, struct str *ret_url);

/* For a program: back to redirect_uri, which is whitelisted; raw_query is the query of the login API request. */
int sign_in_url_for_program(struct exchange *x, struct str redirect_uri, struct str raw_query,
			    struct str *ret_url);

/* "https://" authority path "?" params, signed. */
int sign_url(struct exchange *x, struct str authority, struct str path, const struct query *params,
	     struct str *ret_url);

/* The parameters of this request if its URL carries our signature. */
int verify_request_url(struct exchange *x, struct query *ret, struct err *e);
