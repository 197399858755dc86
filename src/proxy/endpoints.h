#pragma once

/*
 * endpoints.h - our own URLs (protocol.md 4)
 *
 * The table in endpoints.c has a row for each: path, methods, where it is served, who may see it, its function.
 */

#include "proxy/exchange.h"

enum endpoint_access {
	ACCESS_OPEN,  /* anybody; the function may look at x->session */
	ACCESS_LOGIN, /* any authenticated user */
};

enum endpoint_place {
	PLACE_ANYWHERE,
	PLACE_AUTHENTICATE, /* on the authenticate host only; on every host if none is configured */
	PLACE_IF_JWT_FLAG, /* anywhere, with runtime_flags.pomerium_jwt_endpoint; else it does not exist */
	PLACE_IF_ROUTES_FLAG, /* anywhere, with runtime_flags.routes_portal */
};

struct endpoint {
	const char *path;    /* "*" in it: any one segment */
	const char *methods; /* "GET HEAD" */
	enum endpoint_place place;
	enum endpoint_access access;
	enum step (*serve)(struct exchange *x);
};

/* For a request that is no CONNECT: sets x->endpoint, or answers 301, 404 or 405. */
enum step endpoints_select(struct exchange *x);

/* The functions of the table. */
enum step endpoint_health(struct exchange *x);
enum step endpoint_well_known(struct exchange *x);
enum step endpoint_login_api(struct exchange *x);
enum step endpoint_callback(struct exchange *x);
enum step endpoint_sign_in(struct exchange *x);
enum step endpoint_local_sign_in(struct exchange *x);
enum step endpoint_oidc_callback(struct exchange *x);
enum step endpoint_sign_out(struct exchange *x);
enum step endpoint_sign_out_api(struct exchange *x);
enum step endpoint_signed_out(struct exchange *x);
enum step endpoint_user_page(struct exchange *x);
enum step endpoint_authenticate_root(struct exchange *x);
enum step endpoint_robots(struct exchange *x);
enum step endpoint_style(struct exchange *x);
enum step endpoint_jwks(struct exchange *x);
enum step endpoint_user(struct exchange *x);
enum step endpoint_jwt(struct exchange *x);
enum step endpoint_routes(struct exchange *x);
enum step endpoint_device_authorization(struct exchange *x);
enum step endpoint_device_token(struct exchange *x);
enum step endpoint_device_page(struct exchange *x);
enum step endpoint_tunnel_end(struct exchange *x);
