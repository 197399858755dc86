#pragma once

/*
 * cache_file.h - files of the cache, which may lie in a directory that others can write to
 *
 * What is read has to be a regular file of this user that nobody else can write to; links are not followed. What is made is
 * for this user alone.
 *
 * Threads    Blocking; the files are small.
 * Errors     One sentence for a person, without anything of the contents.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the contents. A file that is not there is no error: *ret_is_there says so, and nothing is appended. */
int cache_file_read(const char *path, struct buf *out, bool *ret_is_there, struct err *e);

/* The directory, and those above it that are missing, with mode 0700; refuses one that is somebody else's or a link. */
int cache_file_directory(const char *path, struct err *e);

/* Opens for reading and writing a file that may be there already, under the conditions above: its descriptor, or -1. */
int cache_file_open(const char *path, struct err *e);
