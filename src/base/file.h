#pragma once

/*
 * file.h - whole files: read with a limit, replaced atomically
 *
 * Blocking; never called from a loop that serves peers.
 */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define FILE_WAIT_MS 60000 /* for whoever writes to a pipe */

/* Appends the contents; a file larger than the rest of the buf's maximum is an error that says so.
 */
int file_read(const char *path, struct buf *out, struct err *e);

/* With another limit for pipes: so long nothing may come from one. */
int file_read_within(const char *path, int wait_ms, struct buf *out, struct err *e);

/* Writes to a temporary file in the same directory, fsyncs, renames. Readers see the old or the new
 * file. */
int file_replace(const char *path, struct str contents, mode_t mode, struct err *e);

/* Creates a file that must not exist yet. */
int file_create(const char *path, struct str contents, mode_t mode, struct err *e);

/*
 * Has what was printed arrived, that which stdio still holds included? Who ends without asking tells a script that all is
 * well while the disk is full.
 */
int file_finish_output(FILE *out, struct err *e);

/* mkdir -p with that mode for what is missing. */
int dir_create(const char *path, mode_t mode, struct err *e);

/* Has names of the form "5ed36f99.0": certificates that OpenSSL looks up by the hash of the subject. NULL has none. */
bool dir_is_hashed(const char *path);
