#include "proxy/pages/pages.h"

#include "base/clock.h"
#include "proxy/pages/page.h"

static void add_user(struct buf *out, const struct user_page *facts)
{
	char expires[CLOCK_HTTP_DATE_MAX];

	clock_format_http_date(facts->expires_unix, expires);
	page_markup(out, STR("<dl>\n"));
	page_fact(out, "E-mail", facts->email);
	page_fact(out, "Name", facts->name);
	page_fact(out, "User id", facts->user_id);
	page_facts(out, facts->group_count == 1 ? "Group" : "Groups", facts->groups,
		   facts->group_count);
	page_fact(out, "Session", facts->session_id);
	page_fact(out, "Ends", facts->expires_unix ? str_from(expires) : STR("never"));
	page_markup(out, STR("</dl>\n<p><a href=\"/.pomerium/sign_out\">Log out</a></p>\n"));
}

static struct str small_print(struct buf *text, struct str request_id)
{
	(void)buf_printf(text, "Request %.*s", STR_FMT(request_id)); /* has room */
	return buf_view(text);
}

void user_page_write(struct buf *out, const struct user_page *facts, struct str request_id)
{
	struct buf text = BUF_INIT(PAGE_VALUE_MAX);

	page_begin(out, facts ? STR("You are logged in") : STR("You are not logged in"));
	if (facts)
		add_user(out, facts);
	else
		page_markup(out,
			    STR("<p>Run <code>pomerium-cli tcp</code> with the name of a service: "
				"it brings you to the login.</p>\n"));
	page_end(out, small_print(&text, request_id));
	buf_done(&text);
}

void sign_out_page_write(struct buf *out, struct str action)
{
	page_begin(out, STR("Log out?"));
	page_paragraph(
		out, STR("Your open tunnels end, and will need a new login. So does every machine "
			 "that you have logged in from here."));
	page_markup(out, STR("<form method=\"post\" action=\""));
	page_text(out, action);
	page_markup(
		out,
		STR("\">\n<div class=\"buttons\"><button type=\"submit\">Log out</button></div>\n"
		    "</form>\n"));
	page_end(out, STR(""));
}

void signed_out_page_write(struct buf *out)
{
	page_begin(out, STR("Logged out"));
	page_paragraph(out, STR("You are logged out. You may close this page."));
	page_end(out, STR(""));
}
