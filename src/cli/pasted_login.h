#pragma once

/*
 * pasted_login.h - the last address of a login, pasted on the terminal
 *
 * For a browser on another machine, which could not open the address it was sent to in the end: that is one of this
 * machine. Read from the terminal itself, because standard input may be somebody's connection.
 *
 * Ownership  The operation belongs to the caller until on_token has run or it was cancelled; the URL is borrowed.
 * Threads    One loop.
 * Errors     Where there is no terminal, or it belongs to another program just now, nothing is asked.
 * Limits     PASTED_LINE_MAX for a line.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define PASTED_LINE_MAX 32768

struct loop;
struct pasted_login;

/* NULL: there is no terminal. on_token runs at most once, later; the token is valid during the call. */
struct pasted_login *pasted_login_start(struct loop *loop, struct str callback_url,
					void (*on_token)(void *arg, struct str token), void *arg);

/* NULL is ignored. */
void pasted_login_cancel(struct pasted_login *login);

/*
 * The token of exactly callback_url, with a query that has one; else -1 and a sentence that tells nothing of the line.
 * *ret_token may point into the arena.
 */
int pasted_login_read(struct str line, struct str callback_url, struct arena *arena,
		      struct str *ret_token, struct err *e);
