#pragma once

/*
 * session_files.h - TLS sessions in the cache, for the next process: one file each, for this user alone
 *
 * A convenience: whatever does not work (no place, no permission, a file of somebody else) means a full handshake.
 *
 * Ownership  Embedded in its user; outlives the TLS configurations that it is given to.
 * Threads    Blocking; the files are small and not synced.
 * Limits     SESSION_FILES_MAX files; the oldest makes room. Files older than SESSION_FILES_AGE_S go.
 */

#include "tls/tls_config.h"

#define SESSION_FILES_MAX   32
#define SESSION_FILES_AGE_S (7 * 86400) /* no ticket lasts longer (RFC 8446, 4.6.1) */

struct session_files {
	char *directory; /* NULL: nothing is kept */
};

/* cache_root NULL: nothing is kept. */
void session_files_init(struct session_files *files, const char *cache_root);
void session_files_done(struct session_files *files);

/* For tls_config_keep_sessions(). files is borrowed. */
struct tls_session_store session_files_store(struct session_files *files);

/* Forgets all of them: who has logged out leaves none behind. */
void session_files_clear(struct session_files *files);
