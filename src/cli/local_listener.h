#pragma once

/*
 * local_listener.h - where local programs connect to: an address, or a socket in the file system for this user alone
 *
 * "host:port", ":port" for every interface, or "unix:/path". Whoever can reach the address can use the tunnel with the login
 * of this user: so there is a warning if that is more than this machine. At a path the kernel is asked who connects.
 *
 * Ownership  The text given to parse is borrowed by the address; the listener belongs to the caller.
 * Threads    One loop.
 * Errors     ERR_CONFIG for what was typed; problems of accepting are logged.
 */

#include "base/addr.h"
#include "base/err.h"

#define LOCAL_LISTENER_TEXT_MAX 256

struct events;
struct local_listener;
struct loop;
struct stream;

struct local_address {
	const char *path; /* NULL: an IP address */
	struct addr ip;
};

int local_address_parse(const char *text, struct local_address *ret, struct err *e);

/* The stream belongs to the callee. */
struct local_listener *local_listener_open(struct loop *loop, const struct local_address *address,
					   const struct events *events,
					   void (*on_accept)(void *arg, struct stream *stream),
					   void *arg, struct err *e);

/* "127.0.0.1:52046" or "unix:/path"; cut if it is longer. */
void local_listener_format(const struct local_listener *l, char out[LOCAL_LISTENER_TEXT_MAX]);

/* NULL is ignored. */
void local_listener_close(struct local_listener *l);

/* Says so if who listens there listens to other machines as well. */
void local_listener_warn(const struct events *events, const struct addr *address);
