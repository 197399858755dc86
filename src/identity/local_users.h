#pragma once

/*
 * local_users.h - the users of the built-in identity provider (extensions.md 2)
 *
 * Ownership  local_users is immutable after creation, reference counted; it keeps copies.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "identity/identity.h"

struct local_user {
	struct str email; /* one '@' */
	struct str name;
	struct str id; /* empty: UUIDv5 of the lower-cased e-mail, see local_user_default_id() */
	struct str password_hash; /* crypt(3) form */
	const struct str *groups;
	size_t group_count;
	bool is_disabled;
};

struct local_users;

/*
 * Refuses (ERR_CONFIG) an address that is not valid, two users whose addresses differ only in
 * case or whose ids are equal, and more than IDENTITY_GROUPS_MAX groups. On failure *ret_bad gets
 * the index of the offending user.
 */
int local_users_new(const struct local_user *users, size_t count, struct local_users **ret,
		    size_t *ret_bad, struct err *e);
struct local_users *local_users_ref(struct local_users *users);
void local_users_unref(struct local_users *users);

/*
 * By e-mail without regard to case; NULL if there is none. Disabled users are found too. The id
 * is filled in.
 */
const struct local_user *local_users_find(const struct local_users *users, struct str email);

/*
 * What a password given for that e-mail is to be checked against, so that the time it takes does not tell who has an
 * account: his own hash, or, for nobody and for a user without a usable one, that of some user (always the same for one
 * e-mail), or that of nobody where there is none. A match counts only if *ret_is_own.
 */
struct str local_users_hash_to_check(const struct local_users *users, struct str email,
				     bool *ret_is_own);

/*
 * NUL-terminated UUID text (RFC 9562 version 5, in the namespace of URLs over
 * "mailto:<lower-cased e-mail>").
 */
void local_user_default_id(struct str email, char out[37]);

/*
 * Changes when the password does: remembered in a session, so that a new password ends the old
 * sessions.
 */
void local_user_credential_tag(const struct local_user *user, uint8_t out[32]);

struct identity *local_user_identity(const struct local_user *user);

/* Exactly one '@' with something on both sides, no blanks, no control bytes, at most 254 bytes. */
bool email_is_valid(struct str email);
