#pragma once

/*
 * oidc_token.h - what an identity provider answers: tokens, errors, claims; and whom that makes
 *
 * Results are views into the arena.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "identity/claims.h"
#include "identity/identity.h"
#include "identity/oidc_client.h"
#include "jose/jwks.h"

#define OIDC_RESPONSE_MAX (256u * 1024)
#define OIDC_TOKEN_MAX    16384 /* each; the JWS maximum as well */
#define OIDC_LEEWAY_S     60

struct oidc_tokens {
	struct str access_token;
	struct str refresh_token;    /* "" if there is none */
	struct str id_token;         /* likewise */
	int64_t access_expires_unix; /* 0: unknown */
};

/* RFC 6749 section 5.1; of GitHub, which may answer in form encoding, too. */
int oidc_tokens_parse(struct str body, int64_t now_unix, struct arena *arena,
		      struct oidc_tokens *ret, struct err *e);

/*
 * Why a request was refused (RFC 6749 5.2, RFC 6750 3.1): e gets a sentence with the code of the error, cut and printable.
 * True if asking again cannot help: 400 invalid_grant and its kind, 401 or 403 of the userinfo endpoint. A status of 408,
 * 429 or 5xx, and a body that is no error of the protocol, are temporary.
 */
bool oidc_error_is_definitive(int status, struct str body, struct err *e);

struct oidc_id_token_rules {
	const struct oidc_client *client;
	const struct oidc_metadata *metadata;
	const struct jwks *keys;
	struct str nonce;   /* "": not looked at (after a refresh) */
	struct str subject; /* "": any; after a refresh it must be the same */
	int64_t now_unix;
};

/*
 * OpenID Connect Core 3.1.3.7: signature by one of the keys with an algorithm the provider lists, iss, aud, azp, exp, nbf,
 * iat (within OIDC_LEEWAY_S), nonce. ret gets all claims.
 */
enum jwt_verdict oidc_id_token_verify(const struct oidc_id_token_rules *rules, struct str id_token,
				      struct arena *arena, struct claims *ret, struct err *e);

/* "exp" of an id_token that was verified before; 0 if there is none. */
int64_t oidc_id_token_expiry(const struct claims *claims);

/* The claims of the userinfo endpoint, whose sub must be the one of the id_token (OpenID Connect Core 5.3.2); subject "": any. */
int oidc_userinfo_parse(struct str body, struct str subject, struct arena *arena,
			struct claims *ret, struct err *e);

/*
 * Whom merged claims describe: user id ("oid" else "sub"; must be there), e-mail ("email", else a "mail" that is one; only a
 * valid address whose email_verified is not false), name, groups ("groups"). Views into the claims.
 */
int oidc_identity(const struct claims *claims, struct arena *arena, struct identity *ret,
		  struct err *e);

/* GitHub: /user and /user/emails, as the claims of anybody else (sub is the node id; the primary verified address). */
int github_claims_parse(struct str user, struct str emails, struct arena *arena, struct claims *ret,
			struct err *e);
