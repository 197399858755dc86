#pragma once

/*
 * signals.h - process signals as loop events
 */

struct loop;
struct signals;

/* Watches the listed signals (0 ends the list) and reports each on the loop. SIGPIPE is ignored from here on. */
struct signals *signals_open(struct loop *loop, const int *numbers,
			     void (*on_signal)(void *arg, int number), void *arg);
void signals_close(struct signals *signals);
