#pragma once

/*
 * credentials.h - the stored token for one gateway (protocol.md 8.5)
 *
 * The file is shared with other processes and with other programs that keep the same cache, so it is read anew for each
 * connection and written atomically. A token that cannot be stored is kept in memory. A file that is damaged, too large, a
 * link, or not this user's alone is no token; so is one that others can write to.
 *
 * Ownership  credentials_done() releases and wipes.
 * Threads    One loop. The files are small and local; reading and writing them blocks.
 * Limits     TOKEN_MAX bytes per token.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define TOKEN_MAX 16384

#define CREDENTIALS_NAME_MAX 96

struct events;

struct credentials {
	char *directory; /* NULL: memory only */
	char *path;      /* of the token; NULL: memory only */
	char *lock_path; /* of the lock for a login; NULL: memory only */
	struct buf in_memory;
	const struct events
		*events; /* borrowed; told about a file that is not used, once. NULL: nobody is */
	bool has_warned;
};

/* cache_root NULL: memory only. gateway_name: host:port. */
void credentials_init(struct credentials *c, const char *cache_root, struct str gateway_name,
		      bool uses_tls);
void credentials_done(struct credentials *c);

/* Appends the token; false if there is none that could be sent. ret_token needs a maximum of TOKEN_MAX. */
bool credentials_load(struct credentials *c, struct buf *ret_token);

/* Makes the directory. */
int credentials_prepare(const struct credentials *c, struct err *e);

/* When it fails, the token is kept in memory all the same. */
int credentials_store(struct credentials *c, struct str token, struct err *e);

/* Forgets the token that was refused, unless another one has been stored in the meantime. */
void credentials_forget(struct credentials *c, struct str refused_token);

/* The file name for a cache key, "….jwt", NUL-terminated. */
void credentials_file_name(struct str cache_key, char out[CREDENTIALS_NAME_MAX]);

/* 1 to TOKEN_MAX characters that can stand in a URL and in an Authorization header (token68 of RFC 9110). */
bool token_is_valid(struct str token);
