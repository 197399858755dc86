#pragma once

/*
 * password.h - password hashes in crypt(3) form: yescrypt, bcrypt, SHA-512
 *
 * Slow on purpose (tens of milliseconds): never call hash or verify on a loop; see io/work.h.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define PASSWORD_MAX      511 /* what libxcrypt takes */
#define PASSWORD_HASH_MAX 384

/* yescrypt with the library's default cost, NUL-terminated. */
int password_hash(struct str password, char out[PASSWORD_HASH_MAX], struct err *e);

/* False for a wrong password and for a hash that is not valid. */
bool password_verify(struct str password, struct str hash);

/* $y$, $2b$ (also $2a$, $2y$) or $6$, and accepted by the library. */
bool password_hash_is_valid(struct str hash);

/*
 * A valid yescrypt hash that no password matches: verified for unknown users, so that they take
 * as long.
 */
struct str password_hash_of_nobody(void);
