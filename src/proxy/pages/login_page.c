#include "proxy/pages/pages.h"

#include "proxy/pages/page.h"

#define EMAIL_SHOWN_MAX 254

void login_page_write(struct buf *out, const struct login_page *facts)
{
	page_begin(out, STR("Log in"));
	if (!str_is_empty(facts->host)) {
		page_markup(out, STR("<p class=\"quiet\">at "));
		page_text(out, facts->host);
		page_markup(out, STR("</p>\n"));
	}
	page_problem(out, facts->problem);
	page_markup(out, STR("<form method=\"post\" action=\"/.pomerium/local/sign_in\">\n"));
	page_hidden_field(out, "csrf", facts->csrf);
	page_hidden_field(out, "next", facts->next);
	page_markup(out, STR("<label for=\"email\">E-mail</label>\n"
			     "<input id=\"email\" name=\"email\" type=\"email\" "
			     "autocomplete=\"username\" required"));
	/* The cursor goes where something is to be filled in. */
	page_markup(out,
		    str_is_empty(facts->email) ? STR(" autofocus value=\"") : STR(" value=\""));
	page_text(out, str_first(facts->email, EMAIL_SHOWN_MAX));
	page_markup(out, STR("\">\n<label for=\"password\">Password</label>\n"
			     "<input id=\"password\" name=\"password\" type=\"password\" "
			     "autocomplete=\"current-password\" required"));
	page_markup(out, str_is_empty(facts->email) ? STR(">\n") : STR(" autofocus>\n"));
	page_markup(out,
		    STR("<div class=\"buttons\"><button type=\"submit\">Log in</button></div>\n"
			"</form>\n"));
	page_end(out, STR(""));
}
