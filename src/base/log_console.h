#pragma once

/*
 * log_console.h - log values as a person reads them
 *
 * Private to log.c. Appends to a buf; a failed append is left to its is_overflown flag.
 */

#include "base/buf.h"
#include "base/str.h"

/* As it is where it is one plain word, else in quotes. Nothing in it can steer the terminal. */
void log_console_value(struct buf *out, struct str value);

/* Without quotes, still safe for the terminal and on one line. */
void log_console_text(struct buf *out, struct str text);
