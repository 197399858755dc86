#pragma once

/*
 * provider.h - the identity providers, one row each (configuration.md 9)
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum provider_kind {
	PROVIDER_LOCAL, /* our own login page */
	PROVIDER_OIDC,
	PROVIDER_GITHUB, /* plain OAuth 2 with an interface of its own */
};

enum provider_sign_out {
	SIGN_OUT_END_SESSION, /* end_session_endpoint, where the provider has one */
	SIGN_OUT_AUTH0,       /* /v2/logout?client_id&returnTo */
	SIGN_OUT_COGNITO,     /* /logout?client_id&logout_uri on the authorization host */
};

struct provider_param {
	const char *name;
	const char *value;
};

#define PROVIDER_PARAMS_MAX 4

struct provider {
	const char *name;
	enum provider_kind kind;
	const char *url;                                   /* NULL: idp_provider_url must be set */
	const char *scopes;                                /* separated by blanks */
	struct provider_param params[PROVIDER_PARAMS_MAX]; /* of the authorization request */
	enum provider_sign_out sign_out;
	bool ignores_scopes; /* idp_scopes has no effect */
	bool has_tenant_issuers; /* with the default URL the issuer holds a tenant and is not compared */
	bool ends_with_slash; /* the issuer does, whatever was configured */
};

/* NULL if there is none of that name. */
const struct provider *provider_find(struct str name);

/* The default scopes for that URL (onelogin has two sets). */
const char *provider_scopes(const struct provider *provider, struct str url);

/* "auth0, azure, …": for error messages. */
struct str provider_names(void);
