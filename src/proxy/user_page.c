/*
 * /.pomerium/: who am I, as this gateway sees me. Open to everybody; without a session it says so.
 */

#include "proxy/endpoints.h"
#include "proxy/pages/page.h"
#include "proxy/pages/pages.h"
#include "proxy/respond.h"

enum step endpoint_user_page(struct exchange *x)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };
	/* On the login host the browser may have only the cookie of the login itself. */
	const struct session *session = x->session ? x->session : x->login_session;
	struct user_page facts;

	if (session)
		facts = (struct user_page){
			.email = session->who->email,
			.name = session->who->name,
			.user_id = session->who->user_id,
			.groups = session->who->groups,
			.group_count = session->who->group_count,
			.session_id = str_from(session->id),
			.expires_unix = session->expires_unix,
		};
	user_page_write(&page, session ? &facts : NULL, str_from(x->request_id));
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}
