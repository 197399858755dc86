#pragma once

/*
 * admin_table.h - a list of things as JSON for programs, or as lines of tab-separated texts for a person's terminal
 *
 * The same calls write both: {"sessions":[{"id":"...",...},...],"next":"..."}, or a line of names, a line per thing, and
 * "#next" with where to go on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

#define ADMIN_TABLE_MAX (4u << 20)

enum admin_form { ADMIN_JSON, ADMIN_LINES };

struct admin_table {
	enum admin_form form;
	struct buf out;
	struct json_writer json;
	size_t columns; /* of the row in progress */
};

void admin_table_init(struct admin_table *t, enum admin_form form);
void admin_table_done(struct admin_table *t);

/* heading: the names of the columns, separated by tabs. */
void admin_table_begin(struct admin_table *t, const char *name, const char *heading);
/* next: "" if this is all of it. */
void admin_table_end(struct admin_table *t, struct str next);

void admin_row_begin(struct admin_table *t);
void admin_row_text(struct admin_table *t, const char *key, struct str value);
void admin_row_list(struct admin_table *t, const char *key, const struct str *items, size_t count);
void admin_row_uint(struct admin_table *t, const char *key, uint64_t value);
/* With three decimals. */
void admin_row_thousandths(struct admin_table *t, const char *key, uint64_t value);
/* Seconds since 1970 for programs, a date for people; 0 is "never". */
void admin_row_time(struct admin_table *t, const char *key, int64_t at_unix);
void admin_row_end(struct admin_table *t);

/* Rows that another thread wrote with the same form go on after ours. */
void admin_table_add_rows(struct admin_table *t, struct str rows);
