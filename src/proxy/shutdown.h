#pragma once

/*
 * shutdown.h - how the gateway ends: in good order, and in the end in any case
 *
 * RUNNING -> [RETIRED ->] DRAINING -> ENDING. Draining means: nobody new is accepted, what was asked for is answered, and
 * open tunnels have drain_timeout to come to their end. Retired is a gateway whose successor has taken over the sockets
 * (upgrade.h): it does the same, but without a limit.
 *
 * Ownership  The server's.
 * Threads    That of the control's loop.
 */

#include <stdbool.h>
#include <stdint.h>

struct control;
struct shutdown;

enum shutdown_state {
	SHUTDOWN_RUNNING,
	SHUTDOWN_RETIRED,
	SHUTDOWN_DRAINING,
	SHUTDOWN_ENDING,
};

/* What connections without a request are left. */
#define SHUTDOWN_GRACE_MS   2000
#define SHUTDOWN_RETIRED_MS 60000

struct shutdown *shutdown_new(struct control *control);

/* When the workers are freed. NULL is ignored. */
void shutdown_free(struct shutdown *s);

enum shutdown_state shutdown_state(const struct shutdown *s);
const char *shutdown_state_name(const struct shutdown *s); /* "running", "draining", ... */

/* Connections with an open tunnel or on their way to one. */
uint64_t shutdown_tunnels(const struct shutdown *s);

/* When draining will have an end, whatever is left; 0: there is no such moment. */
int64_t shutdown_until_unix(const struct shutdown *s);

/* SIGTERM or SIGINT: the first begins to drain, the second ends. */
void shutdown_on_signal(struct shutdown *s, int number);

/* why: for the log, static text. Does nothing if it is draining already. */
void shutdown_drain(struct shutdown *s, const char *why);

/* A successor is at work. unused: whose socket, of all workers, it has not taken over. */
void shutdown_retire(struct shutdown *s, const bool *unused);
