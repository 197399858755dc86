#pragma once

/*
 * oidc_client.h - this gateway as a client of one identity provider, and where that provider is reached
 *
 * Ownership  oidc_client borrows everything. oidc_metadata is immutable, reference counted, shared by all threads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/url.h"
#include "identity/provider.h"

#define OIDC_METADATA_TEXT_MAX (256u * 1024)

struct oidc_client {
	const struct provider *provider;
	struct str
		url; /* configured, else the provider's: the issuer, without a trailing slash unless it was configured so */
	struct str client_id;
	struct str client_secret; /* "" for a public client */
	struct str scopes;        /* configured, else provider_scopes(); separated by blanks */
	const struct query_param
		*params; /* of the authorization request: configured, else the provider's */
	size_t param_count;
};

struct oidc_metadata {
	struct str issuer;
	struct str authorization_endpoint;
	struct str token_endpoint;
	struct str userinfo_endpoint; /* the ones below: "" if the provider has none */
	struct str jwks_uri;
	struct str revocation_endpoint;
	struct str end_session_endpoint;
	uint32_t id_token_algorithms; /* 1u << JWS_x; asymmetric ones only */
	bool has_pkce;                /* S256 is listed */
	bool has_iss_parameter;       /* the callback carries "iss" (RFC 9207) */
	bool takes_secret_in_body; /* client_secret_post is listed and client_secret_basic is not */
};

/* <url>/.well-known/openid-configuration; "" where there is no discovery. Appends to the buf. */
struct str oidc_discovery_url(const struct oidc_client *client, struct buf *out);

/*
 * Reads the discovery document (OpenID Connect Discovery 1.0, 3 and 4.3). The issuer must be the one configured (or, for
 * providers with tenant issuers, of its host); endpoints must be https, or http where the issuer is.
 */
int oidc_metadata_parse(const struct oidc_client *client, struct str json,
			struct oidc_metadata **ret, struct err *e);

/* For providers without discovery: fixed, from the URL. */
struct oidc_metadata *oidc_metadata_fixed(const struct oidc_client *client);

struct oidc_metadata *oidc_metadata_ref(struct oidc_metadata *metadata);
void oidc_metadata_unref(struct oidc_metadata *metadata); /* NULL is ignored */
