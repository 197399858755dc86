#pragma once

/*
 * reload.h - a new configuration for the gateway that is running
 *
 * SIGHUP, a file that changed and `pomerium reload` all run the same: the configuration is read on a helper thread into a new
 * snapshot; what it needs beside (sockets, authorities) is made; and only then, when nothing can fail any more, everybody is
 * given it. On any error all stays as it is. One reload at a time: who asks meanwhile gets one that begins afterwards.
 *
 * Ownership  Part of the control. A reload_wait is its caller's until on_done has run or it was cancelled.
 * Threads    That of the control's loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "config/config.h"

struct control;
struct file_set;
struct reload;
struct reload_changes;
struct report;

/* For status and metrics. The start is the first success, and is not counted. */
struct reload_state {
	uint64_t success_count;
	uint64_t failure_count;
	int64_t last_success_unix;
	int64_t last_unix;
	bool is_last_good;
	struct err last_problem; /* the first one, if the last was not good */
};

/* How one went; valid during on_done. */
struct reload_outcome {
	bool is_good;
	const struct report *report;          /* every problem; warnings also of a good one */
	const struct err *error;              /* what could not be made; NULL: all could */
	const struct reload_changes *changes; /* of a good one; else NULL */
	unsigned restart;                     /* settings that need one: enum restart_setting */
};

struct reload_wait {
	struct list_node node;
	void (*on_done)(struct reload_wait *wait, const struct reload_outcome *outcome);
};

/*
 * control->snapshot is in force. Begins to watch, if it wants that. source is borrowed; files: what the first load has
 * read; taken.
 */
struct reload *reload_open(struct control *control, const struct config_source *source,
			   struct file_set *files);

const struct reload_state *reload_state(const struct reload *r);

/* why: for the log, static text. */
void reload_request(struct reload *r, const char *why);

/* The same, and on_done runs once, later: when every worker works with the new configuration. */
void reload_ask(struct reload *r, const char *why, struct reload_wait *wait);
void reload_cancel(struct reload_wait *wait);

/* From now on no round begins until the release; false, and nothing is held, if one is in progress. */
bool reload_hold(struct reload *r);
void reload_release(struct reload *r); /* NULL, and one that is not held, are ignored */

/* When nothing comes from the workers any more. on_done of those who wait does not run any more. NULL is ignored. */
void reload_close(struct reload *r);
