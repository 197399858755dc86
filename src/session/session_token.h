#pragma once

/*
 * session_token.h - the "Pomerium JWT" (protocol.md 2.2, 3.5)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SESSION_TOKEN_AUDIENCES_MAX 3

struct session_token {
	struct str issuer; /* the authenticate host */
	struct str audience[SESSION_TOKEN_AUDIENCES_MAX];
	size_t audience_count;
	struct str session_id; /* jti */
	struct str user_id;    /* sub */
	struct str idp_id;
	int64_t issued_unix;
	uint64_t server_version;
	uint64_t record_version;
};

/* Appends the token, byte-exact as in protocol.md 3.5. */
int session_token_issue(struct str shared_key, const struct session_token *token, struct buf *out,
			struct err *e);

/* The token of a service account (protocol.md 2.4): it has no audience and no issuer. */
struct service_account_token {
	struct str account_id; /* jti */
	struct str user_id;    /* sub */
	int64_t issued_unix;   /* iat and nbf */
	int64_t expires_unix;  /* 0: without exp */
};

/* Appends the token, byte-exact as in protocol.md 2.4. */
int service_account_token_issue(struct str shared_key, const struct service_account_token *token,
				struct buf *out, struct err *e);

/*
 * Checks the signature and reads session_id ("jti", must be there), user_id ("oid", else "sub")
 * and idp_id. exp, nbf, iss and aud are not looked at. The rest of *ret is zeroed; strings are
 * copied to the arena.
 */
int session_token_read(struct str shared_key, struct str text, struct arena *arena,
		       struct session_token *ret, struct err *e);
