#include "proxy/cmd_admin_client_table.h"

#include <stdio.h>

#include "proxy/commands.h"

#define COLUMNS_MAX 16

int table_add_page(struct buf *lines, struct str page)
{
	struct str rest = page;
	struct str line;
	bool is_heading = true;
	bool wants_heading = lines->len == 0;

	while (str_cut(&rest, '\n', &line)) {
		if (!str_is_empty(line) && !str_starts_with(line, STR("#next\t")) &&
		    (!is_heading || wants_heading)) {
			(void)buf_append_str(lines, line);
			(void)buf_append_char(lines, '\n');
		}
		is_heading = false;
	}
	return lines->is_overflown ? command_fail(-1, "that is too much for a table, see --json")
				   : 0;
}

static void measure(struct str lines, size_t widths[COLUMNS_MAX])
{
	struct str line;

	while (str_cut(&lines, '\n', &line)) {
		struct str cell;

		for (size_t i = 0; i < COLUMNS_MAX && str_cut(&line, '\t', &cell); i++)
			if (cell.len > widths[i])
				widths[i] = cell.len;
	}
}

static void print_line(struct str line, const size_t widths[COLUMNS_MAX])
{
	struct str cell;

	for (size_t i = 0; i < COLUMNS_MAX && str_cut(&line, '\t', &cell); i++)
		(void)printf("%.*s%*s", STR_FMT(cell),
			     line.at ? (int)(widths[i] - cell.len) + 2 : 0, "");
	(void)printf("\n");
}

void table_print(struct str lines)
{
	size_t widths[COLUMNS_MAX] = { 0 };
	struct str line;

	measure(lines, widths);
	while (str_cut(&lines, '\n', &line))
		if (!str_is_empty(line))
			print_line(line, widths);
}
