/*
 * provider.c - the table
 */

#include "identity/provider.h"

#define OFFLINE "openid profile email offline_access"
#define BASIC   "openid profile email"

static const struct provider providers[] = {
	{
		.name = "auth0",
		.kind = PROVIDER_OIDC,
		.scopes = OFFLINE,
		.sign_out = SIGN_OUT_AUTH0,
		.ends_with_slash = true,
	},
	{
		.name = "azure",
		.kind = PROVIDER_OIDC,
		.url = "https://login.microsoftonline.com/common/v2.0",
		.scopes = OFFLINE,
		.params = { { "prompt", "select_account" } },
		.has_tenant_issuers = true,
	},
	{
		.name = "cognito",
		.kind = PROVIDER_OIDC,
		.scopes = BASIC,
		.sign_out = SIGN_OUT_COGNITO,
	},
	{
		.name = "github",
		.kind = PROVIDER_GITHUB,
		.url = "https://github.com",
		.scopes = "user:email read:org",
	},
	{
		.name = "gitlab",
		.kind = PROVIDER_OIDC,
		.url = "https://gitlab.com",
		.scopes = BASIC,
	},
	{
		.name = "google",
		.kind = PROVIDER_OIDC,
		.url = "https://accounts.google.com",
		.scopes = BASIC,
		.params = { { "prompt", "select_account consent" }, { "access_type", "offline" } },
	},
	{
		.name = "local",
		.kind = PROVIDER_LOCAL,
		.scopes = "",
	},
	{
		.name = "oidc",
		.kind = PROVIDER_OIDC,
		.scopes = OFFLINE,
	},
	{
		.name = "okta",
		.kind = PROVIDER_OIDC,
		.scopes = OFFLINE,
	},
	{
		.name = "onelogin",
		.kind = PROVIDER_OIDC,
		.url = "https://openid-connect.onelogin.com/oidc",
		.scopes = OFFLINE,
		.ignores_scopes = true,
	},
	{
		.name = "ping",
		.kind = PROVIDER_OIDC,
		.scopes = OFFLINE,
	},
};

const struct provider *provider_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		if (str_equal(str_from(providers[i].name), name))
			return &providers[i];
	}
	return NULL;
}

/* OneLogin's second interface knows groups, but no offline_access; its rows are told apart by their URL. */
const char *provider_scopes(const struct provider *provider, struct str url)
{
	if (provider->ignores_scopes && str_contains(url, STR("/oidc/2")))
		return BASIC " groups";
	return provider->scopes;
}

struct str provider_names(void)
{
	return STR("auth0, azure, cognito, github, gitlab, google, local, oidc, okta, onelogin, "
		   "ping");
}
