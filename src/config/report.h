#pragma once

/*
 * report.h - everything that is wrong with a configuration, at once
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/map.h"

#define REPORT_PROBLEMS_MAX 200
#define REPORT_FILES_MAX    10000

enum report_severity {
	REPORT_ERROR,   /* the configuration is refused */
	REPORT_WARNING, /* it is used all the same: unknown keys, settings that have no effect yet */
};

struct position {
	const char *file; /* borrowed from the report or the configuration; NULL: not from a file */
	unsigned line;    /* from 1 */
	unsigned
		column; /* from 1; 0: the file is one value, and its lines say nothing (a variable) */
};

/* "config.yaml:14:12", as far as it is known; NUL-terminated, and cut if it is longer. */
#define POSITION_TEXT_MAX 600

void position_format(struct position at, char out[POSITION_TEXT_MAX]);

struct report_problem {
	enum report_severity severity;
	char *text; /* "config.yaml:14:12: routes[2].timeout: \"30x\" is not a duration (30s, 5m, 1h)" */
};

struct report {
	struct report_problem *problems;
	size_t count; /* at most REPORT_PROBLEMS_MAX; further ones are only counted */
	size_t error_count;
	size_t warning_count;
	char **files; /* every file that was read or should have been: whoever waits for a change watches them */
	size_t file_count;
	struct map file_names; /* the same, to find them */
};

void report_add(struct report *r, enum report_severity severity, struct position at,
		const char *format, ...) PRINTF_LIKE(4, 5);

/* Twice is once; beyond REPORT_FILES_MAX they are forgotten. */
void report_add_file(struct report *r, const char *path);

void report_done(struct report *r);
