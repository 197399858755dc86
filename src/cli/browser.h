#pragma once

/*
 * browser.h - show an address to the person
 *
 * Ownership  The caller owns the operation until browser_stop(), which lets the program itself go on running.
 * Errors     A program that does not start or ends with an error is reported once, later; that is all there is to it.
 */

#include <stdbool.h>

#include "base/err.h"

struct browser;
struct loop;

/* How a browser is chosen; each member may be NULL. */
struct browser_choice {
	bool is_unwanted;            /* --no-browser */
	const char *flag;            /* --browser-cmd */
	const char *environment;     /* BROWSER */
	const char *ssh;             /* SSH_CONNECTION: the person sits at another machine */
	const char *wsl;             /* WSL_DISTRO_NAME: the desktop is that of Windows */
	const char *path;            /* PATH, for the programs of Windows */
	const char *display;         /* DISPLAY */
	const char *wayland_display; /* WAYLAND_DISPLAY */
};

/* The program to run, or NULL if there is none. Release with mem_free(). */
char *browser_choose(const struct browser_choice *choice);

/* The same with what the environment says. flag may be NULL. */
char *browser_choose_here(const char *flag, bool is_unwanted);

struct browser *browser_start(struct loop *loop, const char *program, const char *url,
			      void (*on_problem)(void *arg, const struct err *e), void *arg);

/* on_problem will not run. NULL is ignored. */
void browser_stop(struct browser *b);
