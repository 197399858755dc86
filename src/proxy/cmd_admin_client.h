#pragma once

/*
 * cmd_admin_client.h - how the operator's commands ask the gateway that is running
 *
 * One request over its socket, on a loop of the command's own. What goes wrong is said in one sentence on standard error.
 */

#include "base/buf.h"
#include "base/str.h"

/* Flags that all of these commands have. */
struct admin_flags {
	const char *config; /* finds the socket in this configuration */
	const char *socket;
	const char *json;
	const char *help;
};

#define ADMIN_FLAGS(flags)                                                                         \
	{ "config", "FILE", "the configuration of the gateway, which names its socket",            \
	  &(flags).config },                                                                       \
		{ "socket", "PATH", "the socket itself", &(flags).socket },                        \
		{ "json", NULL, "print JSON", &(flags).json },                                     \
	{                                                                                          \
		"help", NULL, "print this", &(flags).help                                          \
	}

#define ADMIN_ANSWER_MAX (16u << 20)

struct admin_ask {
	const char *method;
	struct str path; /* with its query */
	struct str body; /* JSON */
	bool wants_lines;
	bool takes_refusal; /* an answer that says no is given as well: the result is 1 */
};

/* Appends the answer's body. Returns 0, or -1 after having said what is wrong. */
int admin_ask(const struct admin_flags *flags, const struct admin_ask *ask, struct buf *ret_body);

/* Asks for a list, all pages of it, and prints it: a table, or with --json each page on a line. An exit status. */
int admin_print_list(const struct admin_flags *flags, const char *collection);

/* Asks for one thing and prints the answer: JSON as it is, or for people by say(). An exit status. */
int admin_do(const struct admin_flags *flags, const char *method, struct str path, struct str body,
	     void (*say)(struct str answer));

/* "collection/ID" or "collection?user=EMAIL", escaped. */
void admin_path(struct buf *out, const char *collection, const char *id, const char *user);

/* A value of a flat JSON object, on standard output. */
void admin_print_value(struct str answer, const char *name);

/* A command that takes those flags alone: reads them, shows its help (which ends in a line break) or runs it. An exit status. */
int admin_command(int argc, char **argv, const char *help,
		  int (*run)(const struct admin_flags *flags));
