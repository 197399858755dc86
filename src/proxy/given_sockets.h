#pragma once

/*
 * given_sockets.h - listening sockets that were opened by somebody else
 *
 * By the service manager (socket activation: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES; see sd_listen_fds(3)): such a socket
 * serves instead of what is configured. Or by the process whose place we take (upgrade.h): such a socket serves if the
 * configuration still wants its address.
 *
 * Ownership  A set owns its descriptors until given_sockets_take() gives one away.
 * Threads    Only before other threads begin: it changes the environment.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

#define GIVEN_SOCKETS_MAX (CONFIG_WORKERS_MAX + 8)

/* In LISTEN_FDNAMES "health", "redirect" and "metrics"; every other name is the main address. */
enum socket_purpose { SOCKET_MAIN, SOCKET_HEALTH, SOCKET_REDIRECT, SOCKET_METRICS };

struct given_socket {
	int fd; /* -1: taken */
	enum socket_purpose purpose;
	bool is_activated; /* by the service manager, maybe of the process before */
};

struct given_sockets {
	struct given_socket items[GIVEN_SOCKETS_MAX];
	size_t count;
};

const char *socket_purpose_name(enum socket_purpose purpose);

/* From the service manager. The variables are removed, whether they were meant for us or not. */
int given_sockets_receive(struct given_sockets *g, struct err *e);

/* Those of a list that the process before has written; see given_sockets_write(). */
int given_sockets_read(struct given_sockets *g, struct str list, struct err *e);

/* "5:main,6:main+,7:health": of descriptors that are numbered from first on; + are activated ones. */
void given_sockets_write(const struct given_sockets *g, int first, struct buf *out);

int given_sockets_add(struct given_sockets *g, const struct given_socket *socket, struct err *e);

/* How many of a purpose there are to be taken. */
size_t given_sockets_count(const struct given_sockets *g, enum socket_purpose purpose,
			   bool is_activated);

/* The address of one that is to be taken. */
bool given_sockets_address(const struct given_sockets *g, enum socket_purpose purpose,
			   struct addr *ret);

/*
 * One for that address, or one that is activated, which goes first: then the caller compares ret_bound. -1: there is none. A
 * wanted port 0 is every port.
 */
int given_sockets_take(struct given_sockets *g, enum socket_purpose purpose,
		       const struct addr *wanted, struct addr *ret_bound);

/* Whether a socket bound at one is what is wanted. */
bool given_socket_fits(const struct addr *bound, const struct addr *wanted);

/* Closes what was not taken. */
void given_sockets_done(struct given_sockets *g);
