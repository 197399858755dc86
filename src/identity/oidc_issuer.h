#pragma once

/*
 * oidc_issuer.h - issuers that are one per tenant
 */

/* Stands in the issuer of a discovery document that serves all tenants; a token has its own in the claim "tid". */
#define OIDC_TENANT_PLACE "{tenantid}"
