#pragma once

/*
 * dial_unix.h - connect to a local socket by its path
 *
 * A full queue is waited for: the kernel does not tell when there is room, so it is asked again every
 * DIAL_UNIX_RETRY_MS.
 *
 * Ownership  The operation belongs to the caller until on_done has run or dial_unix_cancel() was called. The stream
 *            given to on_done belongs to the callee.
 * Threads    One loop.
 * Errors     Only through on_done, never from inside dial_unix_start(): ERR_REFUSED (nobody listens), ERR_UNREACHABLE (no
 *            such path, not allowed to, not a socket), ERR_TIMEOUT, ERR_LIMIT or ERR_SYSTEM, with a sentence that names the path.
 */

#include "io/stream.h"

#include "base/str.h"

#define DIAL_UNIX_RETRY_MS 20
#define DIAL_UNIX_PATH_MAX 107

struct dial_unix;
struct loop;

struct dial_unix *dial_unix_start(struct loop *loop, struct str path, uint64_t timeout_ms,
				  void (*on_done)(void *arg, struct stream *stream,
						  const struct err *e),
				  void *arg);

/* Gives up. on_done will not run. NULL is ignored. */
void dial_unix_cancel(struct dial_unix *d);
