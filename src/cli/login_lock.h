#pragma once

/*
 * login_lock.h - of all processes of a user one at a time asks for a login
 *
 * A lock of the kernel on a file beside the token: it ends with the process that holds it, however that ends. Whoever waits
 * looks at short intervals whether it is free or the token is there. Where there can be no lock (a cache that is
 * read-only, a file system without locks) the login goes on without one.
 *
 * Ownership  Belongs to the caller, who releases it in every case; the path is borrowed.
 * Threads    One loop.
 * Errors     Only through on_done, later.
 * Limits     The wait ends after wait_ms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LOGIN_LOCK_WAIT_MS (10u * 60 * 1000)

struct login_lock;
struct loop;

enum login_lock_result {
	LOGIN_LOCK_YOURS, /* log in; with e: there is no lock, and why */
	LOGIN_LOCK_OVER,  /* somebody else has logged in */
	LOGIN_LOCK_LATE,  /* e names who has the lock */
};

struct login_lock_options {
	struct loop *loop;
	const char *path; /* of the file; its directory is there */
	const char *gateway_name;
	uint64_t wait_ms;
	/* Whether there is a token now. */
	bool (*is_over)(void *arg);
	/* Once, if somebody else has the lock: a sentence for the person. */
	void (*on_waiting)(void *arg, const char *sentence);
	void (*on_done)(void *arg, enum login_lock_result result, const struct err *e);
	void *arg;
};

struct login_lock *login_lock_start(const struct login_lock_options *options);

/*
 * Calls run while nobody else logs in, at once, or not at all: false if somebody does. Without a lock where there can be
 * none.
 */
bool login_lock_around(const char *path, void (*run)(void *arg), void *arg);

/* Gives the lock back, if there is one; on_done will not run. NULL is ignored. */
void login_lock_release(struct login_lock *lock);
