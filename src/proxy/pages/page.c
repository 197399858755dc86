#include "proxy/pages/page.h"

#include "base/codec.h"

/* Overflow leaves out whole pieces, and buf remembers that: nothing here has to look. */

void page_markup(struct buf *out, struct str markup)
{
	(void)buf_append_str(out, markup);
}

void page_text(struct buf *out, struct str text)
{
	(void)html_escape(out, text);
}

void page_begin(struct buf *out, struct str title)
{
	page_markup(out,
		    STR("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
			"<meta name=\"color-scheme\" content=\"light dark\">\n<title>"));
	page_text(out, title);
	page_markup(out, STR(" - Pomerium</title>\n"
			     "<link rel=\"stylesheet\" href=\"" PAGE_STYLE_PATH "\">\n</head>\n"
			     "<body>\n<header>Pomerium</header>\n<main>\n<h1>"));
	page_text(out, title);
	page_markup(out, STR("</h1>\n"));
}

void page_end(struct buf *out, struct str small_print)
{
	page_markup(out, STR("</main>\n"));
	if (!str_is_empty(small_print)) {
		page_markup(out, STR("<footer>"));
		page_text(out, small_print);
		page_markup(out, STR("</footer>\n"));
	}
	page_markup(out, STR("</body>\n</html>\n"));
}

void page_paragraph(struct buf *out, struct str text)
{
	page_markup(out, STR("<p>"));
	page_text(out, text);
	page_markup(out, STR("</p>\n"));
}

void page_problem(struct buf *out, struct str problem)
{
	if (str_is_empty(problem))
		return;
	page_markup(out, STR("<p class=\"problem\" role=\"alert\">"));
	page_text(out, problem);
	page_markup(out, STR("</p>\n"));
}

/* Not in the middle of a character. */
static struct str cut(struct str value)
{
	struct str start = str_first(value, PAGE_VALUE_MAX);

	if (start.len == value.len)
		return value;
	while (start.len > 0 && (value.at[start.len] & 0xc0) == 0x80)
		start.len--;
	return start;
}

void page_facts(struct buf *out, const char *label, const struct str *values, size_t count)
{
	size_t shown = count < PAGE_LIST_MAX ? count : PAGE_LIST_MAX;

	if (count == 0)
		return;
	(void)buf_printf(out, "<dt>%s</dt>\n", label);
	for (size_t i = 0; i < shown; i++) {
		struct str value = cut(values[i]);

		page_markup(out, STR("<dd>"));
		page_text(out, value);
		page_markup(out,
			    value.len < values[i].len ? STR("&hellip;</dd>\n") : STR("</dd>\n"));
	}
	if (shown < count)
		(void)buf_printf(out, "<dd>and %zu more</dd>\n", count - shown);
}

void page_fact(struct buf *out, const char *label, struct str value)
{
	page_facts(out, label, &value, str_is_empty(value) ? 0 : 1);
}

void page_hidden_field(struct buf *out, const char *name, struct str value)
{
	(void)buf_printf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	page_text(out, value);
	page_markup(out, STR("\">\n"));
}
