#pragma once

/*
 * listener_unix.h - accept local connections at a path, from this user and root alone
 *
 * The socket is made with mode 0600, and the kernel says who connects (SO_PEERCRED): anybody else is closed unserved. A socket
 * that nobody listens at any more is replaced; one that is in use is an error, unless its place is to be taken over: then
 * the new one is made beside it and put in its place when all is ready, so that there is one at every moment.
 *
 * Threads    One loop.
 * Limits     The path: what sockaddr_un takes (107 bytes).
 */

#include <sys/types.h>

#include "base/err.h"
#include "io/stream.h"

#define LISTENER_UNIX_BACKLOG 64

struct listener_unix;
struct loop;

/* The stream given to on_accept belongs to the callee; its owner is not set yet. */
struct listener_unix *listener_unix_open(struct loop *loop, const char *path,
					 void (*on_accept)(void *arg, struct stream *stream,
							   uid_t peer),
					 void *arg, struct err *e);

/* Nobody finds it before listener_unix_take_over(). */
struct listener_unix *listener_unix_open_beside(struct loop *loop, const char *path,
						void (*on_accept)(void *arg, struct stream *stream,
								  uid_t peer),
						void *arg, struct err *e);
int listener_unix_take_over(struct listener_unix *l, struct err *e);

/* Removes the socket, unless another one has taken its place. NULL is ignored. */
void listener_unix_close(struct listener_unix *l);
