#pragma once

/*
 * state_dir.h - what must survive a restart (extensions.md 1)
 *
 * $STATE_DIRECTORY, else $XDG_DATA_HOME/pomerium, else ~/.local/share/pomerium; mode 0700.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the path; the directory is not created. */
int state_dir_path(struct buf *out, struct err *e);

#define STATE_SECRET_SIZE 32

/* Reads the secret kept under that name, creating it (0600) the first time. */
int state_dir_secret(const char *name, uint8_t out[STATE_SECRET_SIZE], bool *ret_created,
		     struct err *e);
