#include "proxy/pages/pages.h"

#include "base/clock.h"
#include "proxy/pages/page.h"
#include "session/device_login.h"

#define CODE_SHOWN_MAX 64
#define GROUP_LEN      (DEVICE_USER_CODE_LEN / 2)

void device_code_page_write(struct buf *out, const struct device_code_page *facts)
{
	page_begin(out, STR("Log in another machine"));
	page_problem(out, facts->problem);
	page_markup(out,
		    STR("<p>Type the code that the other machine shows.</p>\n"
			"<form method=\"get\" action=\"/.pomerium/device\">\n"
			"<label for=\"user_code\">Code</label>\n"
			"<input id=\"user_code\" name=\"user_code\" class=\"code\" type=\"text\" "
			"placeholder=\"XXXX-XXXX\" maxlength=\"16\" autocomplete=\"off\" "
			"autocapitalize=\"characters\" spellcheck=\"false\" required autofocus "
			"value=\""));
	page_text(out, str_first(facts->user_code, CODE_SHOWN_MAX));
	page_markup(out, STR("\">\n<div class=\"buttons\"><button type=\"submit\">Continue</button>"
			     "</div>\n</form>\n"));
	page_end(out, STR(""));
}

/* A date alone would ask for arithmetic. */
static struct str asked_when(const struct device_question_page *facts, struct buf *text)
{
	int64_t minutes = (facts->now_unix - facts->asked_unix) / 60;
	char date[CLOCK_HTTP_DATE_MAX];

	clock_format_http_date(facts->asked_unix, date);
	if (minutes < 1)
		(void)buf_printf(text, "less than a minute ago (%s)", date);
	else
		(void)buf_printf(text, "%lld minute%s ago (%s)", (long long)minutes,
				 minutes == 1 ? "" : "s", date);
	return buf_view(text);
}

static void add_question(struct buf *out, const struct device_question_page *facts)
{
	struct buf when = BUF_INIT(PAGE_VALUE_MAX);

	page_markup(out, STR("<p>A program on another machine asks to be logged in as "));
	if (str_is_empty(facts->email)) {
		page_markup(out, STR("you"));
	} else {
		page_markup(out, STR("<b>"));
		page_text(out, facts->email);
		page_markup(out, STR("</b>"));
	}
	page_markup(out, STR(". It shows this code:</p>\n<p class=\"code\">"));
	page_text(out, str_first(facts->user_code, GROUP_LEN));
	page_markup(out, STR("-"));
	page_text(out, str_from_pos(facts->user_code, GROUP_LEN));
	page_markup(out, STR("</p>\n<dl>\n"));
	page_fact(out, "Calls itself",
		  str_is_empty(facts->client_name) ? STR("(no name given)") : facts->client_name);
	page_fact(out, "Asked from", facts->client_address);
	page_fact(out, "Asked", asked_when(facts, &when));
	page_markup(
		out,
		STR("</dl>\n<p><strong>Say yes only if you started this yourself, just now, and "
		    "see the same code there.</strong> Whoever sent you this code or this link "
		    "would be able to act as you.</p>\n"));
	buf_done(&when);
}

void device_question_page_write(struct buf *out, const struct device_question_page *facts)
{
	page_begin(out, STR("Log in another machine?"));
	add_question(out, facts);
	page_markup(out, STR("<form method=\"post\" action=\"/.pomerium/device\">\n"));
	page_hidden_field(out, "csrf", facts->csrf);
	page_hidden_field(out, "user_code", facts->user_code);
	page_markup(
		out,
		STR("<div class=\"buttons\">\n"
		    "<button type=\"submit\" name=\"answer\" value=\"yes\">Yes, log it in</button>\n"
		    "<button type=\"submit\" name=\"answer\" value=\"no\" class=\"other\">No</button>\n"
		    "</div>\n</form>\n"));
	page_end(out, STR(""));
}

void device_done_page_write(struct buf *out, bool is_approved)
{
	page_begin(out, is_approved ? STR("The other machine is logged in")
				    : STR("The other machine was refused"));
	if (is_approved)
		page_markup(
			out,
			STR("<p>It goes on by itself within seconds; you may close this page.</p>\n"
			    "<p class=\"quiet\">Its login ends with yours: when you "
			    "<a href=\"/.pomerium/sign_out\">log out</a> here, or when your "
			    "login expires.</p>\n"));
	else
		page_paragraph(
			out,
			STR("It gets no login. If you did not ask for one, somebody else may have "
			    "tried to use your name: tell the operator of this gateway."));
	page_end(out, STR(""));
}
