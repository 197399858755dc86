#pragma once

/*
 * session_secrets.h - what the identity provider gave us with a login, and when it is to be renewed (protocol.md 3.8)
 *
 * Kept apart from the session: only the upkeep and the sign-out ever see it. Sealed in every store.
 *
 * Ownership  session_secrets_new() copies; session_secrets_free() wipes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define REFRESH_BEFORE_S    60 /* before the earlier end of access token and id_token */
#define REFRESH_INTERVAL_S  10 /* not more often */
#define USERINFO_INTERVAL_S 600
#define UPKEEP_RETRY_MAX_S                                                                         \
	60 /* after temporary errors: doubled from REFRESH_INTERVAL_S up to this */

struct session_secrets {
	struct str access_token;
	struct str refresh_token; /* "": cannot be renewed */
	struct str id_token;
	int64_t access_expires_unix; /* 0: unknown */
	int64_t id_expires_unix;     /* 0: does not count */
	int64_t refreshed_unix;
	int64_t userinfo_unix; /* when it was read; 0: the provider has none */
	unsigned failures;     /* temporary ones in a row */
	int64_t failed_unix; /* when the last of them was; the next attempt is not before its pause is over */
};

struct session_secrets *session_secrets_new(const struct session_secrets *facts) MUST_CHECK;
void session_secrets_free(struct session_secrets *s); /* NULL is ignored */
DEFINE_CLEANUP(struct session_secrets, session_secrets_free)

/* Whether a refresh or a look at userinfo is due. */
bool session_refresh_is_due(const struct session_secrets *s, int64_t now_unix);
bool session_userinfo_is_due(const struct session_secrets *s, int64_t now_unix);

/* When upkeep has to look again; 0: never. Without a refresh token only userinfo counts. */
int64_t session_upkeep_due(const struct session_secrets *s);

/* valid_until_unix of a session that ends at expires_unix. */
int64_t session_valid_until(const struct session_secrets *s, int64_t expires_unix);
