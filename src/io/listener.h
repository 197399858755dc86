#pragma once

/*
 * listener.h - accept connections
 *
 * When descriptors run out it keeps listening: a reserved descriptor is given up to accept and close
 * one waiting connection at a time, so that clients see a closed connection instead of hanging, and on_problem
 * says so (at most once per LISTENER_PROBLEM_INTERVAL_MS).
 */

#include "base/addr.h"
#include "io/stream.h"

#define LISTENER_BACKLOG             4096
#define LISTENER_ACCEPT_BATCH        64
#define LISTENER_PROBLEM_INTERVAL_MS 5000
#define LISTENER_RETIRE_MS           1000

struct loop;
struct listener;

struct listener_events {
	/* The stream belongs to the callee; its owner is not set yet. */
	void (*on_accept)(void *arg, struct stream *stream, const struct addr *peer);
	/* Instead, for who hands it to another loop; it is the callee's. */
	void (*on_socket)(void *arg, int fd, const struct addr *peer);
	/* Accepting failed; shed_count connections were closed unserved since the last report. */
	void (*on_problem)(void *arg, const struct err *e, unsigned shed_count);
};

/*
 * Binds and listens. An IPv6 any-address takes IPv4 as well; where there is no IPv6 it binds the IPv4
 * any-address. shares_port lets several listeners of this process use one address (SO_REUSEPORT).
 */
struct listener *listener_open(struct loop *loop, const struct addr *address, bool shares_port,
			       const struct listener_events *events, void *arg, struct err *e);

/* A bound and listening descriptor, without a loop: -1 and why. */
int listener_bind(const struct addr *address, bool shares_port, struct err *e) MUST_CHECK;

/* Accepts from such a descriptor (others may do so, too, from the same socket), which is the listener's from now on, also after a failure. */
struct listener *listener_adopt(struct loop *loop, int fd, const struct listener_events *events,
				void *arg, struct err *e) MUST_CHECK;

/* Borrowed. */
int listener_fd(const struct listener *l);

/* The address bound, with the port the kernel chose if 0 was asked for. */
void listener_address(const struct listener *l, struct addr *ret);

/* The same of a descriptor. */
void listener_bound_address(int fd, struct addr *ret);

/*
 * Closes it without resetting anybody: those whose connection the kernel has made already are accepted, which takes up to
 * LISTENER_RETIRE_MS. on_accept may be called until on_retired, which runs once, later; listener_close() makes an end of it.
 */
void listener_retire(struct listener *l, void (*on_retired)(void *arg));

/* The same at once: who waits to be accepted is, and whoever is in the making is reset. */
void listener_finish(struct listener *l, void (*on_retired)(void *arg));

/* What waits to be accepted is reset, unless another process has the socket as well. NULL is ignored. */
void listener_close(struct listener *l);

/* With SO_REUSEPORT a port in use by another process of the same user would go unnoticed: fails with
 * ERR_SYSTEM and a sentence if the address cannot be bound alone. */
int listener_check_free(const struct addr *address, struct err *e);
