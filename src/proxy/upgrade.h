#pragma once

/*
 * upgrade.h - a new process takes our place, without a client noticing
 *
 * SIGUSR2 or `pomerium upgrade`: the program is started again as we were, with the same arguments and environment and
 * with copies of our listening sockets. It reads its configuration and opens the rest by itself, then says that it serves
 * (predecessor.h); from then on we accept nobody and serve our tunnels to their end (SHUTDOWN_RETIRED). Whatever goes wrong
 * before that leaves us as we were.
 *
 * While it goes on no reload begins.
 *
 * Ownership  The server's. An upgrade_wait is its caller's until on_done has run or it was cancelled.
 * Threads    That of the control's loop.
 * Limits     UPGRADE_TIMEOUT_MS for the new process to be ready; then it is killed.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"

#define UPGRADE_TIMEOUT_MS 30000

struct control;
struct upgrade;

struct upgrade_wait {
	struct list_node node;
	/* problem: why not, NULL: successor has taken over. */
	void (*on_done)(struct upgrade_wait *wait, pid_t successor, const struct err *problem);
};

/* argv: how we were started; borrowed. */
struct upgrade *upgrade_new(struct control *control, const char *const *argv);

/* When nothing comes from the workers any more. NULL is ignored. */
void upgrade_free(struct upgrade *u);

/* Begins, unless one is in progress. why: for the log, static text. */
void upgrade_request(struct upgrade *u, const char *why);

/* The same, and on_done runs once; at once if it cannot be. */
void upgrade_ask(struct upgrade *u, const char *why, struct upgrade_wait *wait);
void upgrade_cancel_wait(struct upgrade_wait *wait);

/* We are told to end: the new process, if there is one that is not ready, does so, too. */
void upgrade_give_up(struct upgrade *u);
