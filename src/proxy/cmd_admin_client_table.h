#pragma once

/*
 * cmd_admin_client_table.h - tab-separated lines as a table for a person: columns as wide as their longest text
 */

#include "base/buf.h"
#include "base/str.h"

/* Adds the lines of a page: its heading only if it is the first, and not the mark of the next one. -1, and said: too much. */
int table_add_page(struct buf *lines, struct str page);
void table_print(struct str lines);
