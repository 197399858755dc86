#pragma once

/*
 * reload_log.h - what the log says about a reload, one line each
 */

struct log;
struct reload_outcome;
struct report;

/* The text of the first error. */
const char *reload_first_problem(const struct report *report);

/* How it went; warnings of a good one have lines of their own. */
void reload_log(struct log *log, const char *why, const struct reload_outcome *outcome);

/* settings: a set of enum restart_setting; none is no line. */
void reload_log_restart(struct log *log, unsigned settings);
