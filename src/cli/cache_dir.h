#pragma once

/*
 * cache_dir.h - where the client keeps what it has learned (protocol.md 8.5)
 *
 * Blocking file operations; called at start and, a small file at a time, between connections.
 */

#include "base/err.h"
#include "base/str.h"

/* Appended to the user's cache directory: xdg_cache_home (absolute) if set, else home/.cache. Release with mem_free(). */
int cache_dir_locate(const char *xdg_cache_home, const char *home, char **ret_root, struct err *e);

/* Removes everything inside root. Links are removed, not followed. A root that does not exist is empty. */
int cache_dir_clear(const char *root, struct err *e);

/* Writes root/last-url; nothing happens where there is no root. */
void cache_dir_remember_url(const char *root, struct str url);
