#include "proxy/pages/pages.h"

#include "proxy/pages/page.h"

#define SMALL_PRINT_MAX 256

/* What a status means to somebody who is no programmer. */
static const struct {
	int status;
	const char *heading;
} headings[] = {
	{ 302, "You have to log in" },     { 400, "That did not work" },
	{ 401, "You have to log in" },     { 403, "You have no access" },
	{ 404, "There is nothing here" },  { 429, "Too many tries" },
	{ 502, "Not available just now" }, { 503, "Not available just now" },
	{ 504, "Not available just now" },
};

static struct str heading_of(const struct error_page *facts)
{
	for (size_t i = 0; i < ARRAY_LEN(headings); i++)
		if (headings[i].status == facts->status)
			return str_from(headings[i].heading);
	return STR("Something went wrong");
}

void error_page_write(struct buf *out, const struct error_page *facts)
{
	struct buf text = BUF_INIT(SMALL_PRINT_MAX);

	page_begin(out, heading_of(facts));
	page_markup(out, STR("<p role=\"alert\">"));
	page_text(out, facts->sentence);
	page_markup(out, STR("</p>\n"));
	if (!str_is_empty(facts->advice))
		page_paragraph(out, facts->advice);
	(void)buf_printf(&text, "%d %.*s", facts->status,
			 STR_FMT(facts->status_text)); /* has room */
	if (!str_is_empty(facts->request_id))
		(void)buf_printf(&text, " \302\267 Request %.*s", STR_FMT(facts->request_id));
	page_end(out, buf_view(&text));
	buf_done(&text);
}
