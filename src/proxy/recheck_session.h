#pragma once

/*
 * recheck_session.h - what open tunnels know of their sessions
 *
 * Tunnels of one session share it. The index of the store knows the sessions that are in use; where it does not have one,
 * the store is asked, once for all its tunnels, and they are asked again when it has answered. A store that is away ends
 * nobody.
 *
 * Ownership  Part of recheck.c, for it alone.
 */

#include <stddef.h>

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

struct exchange;
struct worker;

struct recheck_sessions {
	struct worker *worker;
	struct map by_id;    /* struct recheck_session */
	struct list unasked; /* those whose question waits for its turn */
	size_t asks;         /* questions under way */
};

void recheck_sessions_init(struct recheck_sessions *all, struct worker *worker);
void recheck_sessions_done(struct recheck_sessions *all); /* nobody is in */

/* Of x->session, if it is one that is in the store. leave is idempotent. */
void recheck_session_enter(struct recheck_sessions *all, struct exchange *x);
void recheck_session_leave(struct recheck_sessions *all, struct exchange *x);

enum recheck_knowledge {
	RECHECK_KNOWN,   /* x->session is the newest */
	RECHECK_GONE,    /* there is no such session any more */
	RECHECK_ASKED,   /* the store will say; x is asked again then */
	RECHECK_UNKNOWN, /* it does not say, or x has not entered */
};

/* Replaces x->session, which is not NULL, by the newest. */
enum recheck_knowledge recheck_session_look_up(struct recheck_sessions *all, struct exchange *x);

/* What was answered does not count any more, and all its tunnels are asked again. The second: of every session. */
void recheck_session_hear(struct recheck_sessions *all, struct str id);
void recheck_sessions_hear(struct recheck_sessions *all);
