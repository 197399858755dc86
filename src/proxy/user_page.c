/*
 * /.pomerium/: who am I, as this gateway sees me. Open to everybody; without a session it says so.
 */

#include "base/clock.h"
#include "base/codec.h"
#include "proxy/endpoints.h"
#include "proxy/pages/page.h"
#include "proxy/respond.h"

static void add_fact(struct buf *page, const char *label, struct str value)
{
	if (str_is_empty(value))
		return;
	(void)buf_printf(page, "<dt>%s</dt>\n<dd>", label);
	(void)html_escape(page, value);
	(void)buf_append_str(page, STR("</dd>\n"));
}

static void add_facts(struct buf *page, const struct session *session)
{
	const struct identity *who = session->who;
	char expires[CLOCK_HTTP_DATE_MAX];

	clock_format_http_date(session->expires_unix, expires);
	(void)buf_append_str(page, STR("<dl>\n"));
	add_fact(page, "E-mail", who->email);
	add_fact(page, "Name", who->name);
	add_fact(page, "User id", who->user_id);
	for (size_t i = 0; i < who->group_count; i++)
		add_fact(page, "Group", who->groups[i]);
	add_fact(page, "Session", str_from(session->id));
	add_fact(page, "Ends", str_from(expires));
	(void)buf_append_str(page,
			     STR("</dl>\n<p><a href=\"/.pomerium/sign_out\">Log out</a></p>\n"));
}

enum step endpoint_user_page(struct exchange *x)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };
	/* On the login host the browser may have only the cookie of the login itself. */
	const struct session *session = x->session ? x->session : x->login_session;

	if (session) {
		page_begin(&page, STR("You are logged in"));
		add_facts(&page, session);
	} else {
		page_begin(&page, STR("You are not logged in"));
		page_paragraph(
			&page,
			STR("Run pomerium-cli tcp with the name of a service: it brings you to the login."));
	}
	page_end(&page, str_from(x->request_id));
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}
