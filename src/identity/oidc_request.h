#pragma once

/*
 * oidc_request.h - what is asked of an identity provider (RFC 6749, 7009, 7636; OpenID Connect Core, RP-Initiated Logout)
 *
 * Pure: text in, text out. Everything is written into the arena.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "identity/oidc_client.h"

/* RFC 7636: 43 characters. */
#define PKCE_VERIFIER_LEN 43

void pkce_verifier_new(char out[PKCE_VERIFIER_LEN + 1]);
struct str pkce_challenge(struct str verifier, struct arena *arena);

struct oidc_login {
	struct str redirect_uri;
	struct str state;
	struct str nonce;
	struct str code_verifier; /* used where the provider has PKCE */
};

/* Where the browser is sent. Configured parameters never replace the protocol's own. */
int oidc_authorization_url(const struct oidc_client *client, const struct oidc_metadata *metadata,
			   const struct oidc_login *login, struct arena *arena, struct str *ret_url,
			   struct err *e);

/*
 * A request to the provider; body "" means GET, url "" that the provider has no such endpoint. The caller adds
 * "Accept: application/json" (without it GitHub answers in form encoding, which oidc_tokens_parse() reads as well).
 */
struct oidc_call {
	struct str url;
	struct str authorization; /* header value; "" for none */
	struct str body;          /* application/x-www-form-urlencoded */
};

void oidc_code_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
		    const struct oidc_login *login, struct str code, struct arena *arena,
		    struct oidc_call *ret);
void oidc_refresh_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
		       struct str refresh_token, struct arena *arena, struct oidc_call *ret);
void oidc_userinfo_call(const struct oidc_metadata *metadata, struct str access_token,
			struct arena *arena, struct oidc_call *ret);
/* GitHub: the addresses, which /user does not vouch for. */
void github_emails_call(const struct oidc_metadata *metadata, struct str access_token,
			struct arena *arena, struct oidc_call *ret);
void oidc_revocation_call(const struct oidc_client *client, const struct oidc_metadata *metadata,
			  struct str token, struct arena *arena, struct oidc_call *ret);

/* Where the browser is sent after sign-out; "" if the provider has no such thing. return_to may be "". */
struct str oidc_sign_out_url(const struct oidc_client *client, const struct oidc_metadata *metadata,
			     struct str id_token, struct str return_to, struct arena *arena);
