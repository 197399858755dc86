#pragma once

/*
 * admin.h - the operator's socket (extensions.md 7): JSON over HTTP at a path that only this user and root can open
 *
 * Ownership  Of the control thread. admin_close() before the store closes: what is still in progress then has nobody to
 *            answer, and is released where it lies.
 * Threads    That of the control's loop.
 * Limits     ADMIN_JOBS_MAX questions in progress; lists give ADMIN_PAGE_MAX entries at a time.
 */

#include "base/err.h"

#define ADMIN_JOBS_MAX 16
#define ADMIN_PAGE_MAX 256

struct admin;
struct control;

/*
 * *ret stays NULL, with a warning in the log, if the default path cannot be used. A path that was asked for must be
 * usable.
 */
int admin_open(struct control *control, struct admin **ret, struct err *e);

/* An admin that was opened beside the socket of the process before: it is found in its place from now on. NULL is ignored. */
int admin_take_over(struct admin *admin, struct err *e);

/* Nobody new comes in; whoever has asked is answered. NULL is ignored. */
void admin_stop(struct admin *admin);

void admin_close(struct admin *admin); /* NULL is ignored */
