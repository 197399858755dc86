#include "proxy/admin_table.h"

#include "base/clock.h"
#include "base/utf8.h"

void admin_table_init(struct admin_table *t, enum admin_form form)
{
	*t = (struct admin_table){ .form = form };
	buf_init(&t->out, ADMIN_TABLE_MAX);
	t->json.out = &t->out;
}

void admin_table_done(struct admin_table *t)
{
	buf_done(&t->out);
}

void admin_table_begin(struct admin_table *t, const char *name, const char *heading)
{
	if (t->form == ADMIN_LINES) {
		(void)buf_printf(&t->out, "%s\n", heading);
		return;
	}
	json_object_begin(&t->json);
	json_key(&t->json, str_from(name));
	json_array_begin(&t->json);
}

void admin_table_end(struct admin_table *t, struct str next)
{
	if (t->form == ADMIN_LINES) {
		if (!str_is_empty(next))
			(void)buf_printf(&t->out, "#next\t%.*s\n", STR_FMT(next));
		return;
	}
	json_array_end(&t->json);
	if (!str_is_empty(next)) {
		json_key(&t->json, STR("next"));
		json_text(&t->json, next);
	}
	json_object_end(&t->json);
	(void)buf_append_char(&t->out, '\n');
}

/* What somebody calls himself must not move the columns, nor the terminal's cursor. */
static void add_cell(struct admin_table *t, struct str value)
{
	if (str_is_empty(value))
		value = STR("-");
	(void)utf8_append_shown(&t->out, value);
}

static bool begin_cell(struct admin_table *t, const char *key)
{
	if (t->form == ADMIN_JSON) {
		json_key(&t->json, str_from(key));
		return false;
	}
	if (t->columns++ > 0)
		(void)buf_append_char(&t->out, '\t');
	return true;
}

void admin_row_begin(struct admin_table *t)
{
	t->columns = 0;
	if (t->form == ADMIN_JSON)
		json_object_begin(&t->json);
}

void admin_row_text(struct admin_table *t, const char *key, struct str value)
{
	if (begin_cell(t, key))
		add_cell(t, value);
	else
		json_text(&t->json, value);
}

void admin_row_list(struct admin_table *t, const char *key, const struct str *items, size_t count)
{
	if (begin_cell(t, key)) {
		for (size_t i = 0; i < count; i++) {
			if (i > 0)
				(void)buf_append_char(&t->out, ',');
			add_cell(t, items[i]);
		}
		if (count == 0)
			add_cell(t, STR(""));
		return;
	}
	json_array_begin(&t->json);
	for (size_t i = 0; i < count; i++)
		json_text(&t->json, items[i]);
	json_array_end(&t->json);
}

void admin_row_uint(struct admin_table *t, const char *key, uint64_t value)
{
	if (begin_cell(t, key))
		(void)buf_printf(&t->out, "%llu", (unsigned long long)value);
	else
		json_uint(&t->json, value);
}

void admin_row_thousandths(struct admin_table *t, const char *key, uint64_t value)
{
	if (begin_cell(t, key))
		(void)buf_printf(&t->out, "%llu.%03u", (unsigned long long)value / 1000,
				 (unsigned)(value % 1000));
	else
		json_thousandths(&t->json, value);
}

void admin_row_time(struct admin_table *t, const char *key, int64_t at_unix)
{
	char text[CLOCK_RFC3339_MAX];

	if (!begin_cell(t, key)) {
		json_int(&t->json, at_unix);
	} else if (at_unix == 0) {
		add_cell(t, STR("never"));
	} else {
		clock_format_rfc3339(at_unix, text);
		add_cell(t, str_from(text));
	}
}

void admin_row_end(struct admin_table *t)
{
	if (t->form == ADMIN_JSON)
		json_object_end(&t->json);
	else
		(void)buf_append_char(&t->out, '\n');
}

void admin_table_add_rows(struct admin_table *t, struct str rows)
{
	if (str_is_empty(rows))
		return;
	if (t->form == ADMIN_JSON && t->json.needs_comma)
		(void)buf_append_char(&t->out, ',');
	(void)buf_append_str(&t->out, rows);
	t->json.needs_comma = true;
}
