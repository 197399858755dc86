/*
 * /.pomerium/sign_out (protocol.md 3.8): ends the session, which makes every token of it worthless.
 *
 * On a route's host the browser's cookie there is cleared and the browser is sent, with a signed URL, to the authenticate
 * host, which deletes the record. A request that is not signed is asked to confirm first, so that no other site can log
 * anybody out with an image.
 */

#include "base/codec.h"
#include "base/url.h"
#include "http/cookie.h"
#include "proxy/authenticate.h"
#include "proxy/endpoints.h"
#include "proxy/login_cookies.h"
#include "proxy/pages/page.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"
#include "session/store.h"

/* Ends the sessions of both cookies: where the login is on the route's own host they may differ. */
static void end_sessions(struct exchange *x)
{
	static const struct str names[] = { { COOKIE_SESSION, sizeof(COOKIE_SESSION) - 1 },
					    { COOKIE_AUTHENTICATE,
					      sizeof(COOKIE_AUTHENTICATE) - 1 } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct session *session;
		const char *problem;
		struct str token;

		if (!cookie_get(&x->request->headers, names[i], &token))
			continue;
		session = authenticate_token(x, token, &problem);
		if (session)
			(void)store_delete_session(x->worker->shared.store, str_from(session->id));
		session_unref(session);
	}
}

static void clear_cookies(struct exchange *x, struct reply *reply)
{
	reply_header(reply, STR("set-cookie"), cleared_cookie(x, STR(COOKIE_SESSION)));
	if (is_on_authenticate_host(x))
		reply_header(reply, STR("set-cookie"), cleared_cookie(x, STR(COOKIE_AUTHENTICATE)));
}

/* From a route's host to the authenticate host. The session of this host's cookie ends here already. */
static enum step send_to_authenticate_host(struct exchange *x)
{
	struct reply reply = { .status = 302 };
	struct query params = { 0 };
	struct str location;

	query_add(&params, STR("pomerium_redirect_uri"),
		  arena_printf(&x->arena, "https://%.*s/", STR_FMT(x->facts.authority)));
	if (sign_url(x, authenticate_authority(x), STR("/.pomerium/sign_out"), &params, &location) <
	    0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	end_sessions(x);
	clear_cookies(x, &reply);
	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}

static enum step ask_to_confirm(struct exchange *x)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };
	struct query params = { 0 };
	struct str location;

	if (sign_url(x, x->facts.authority, STR("/.pomerium/sign_out"), &params, &location) < 0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	page_begin(&page, STR("Log out"));
	page_paragraph(&page,
		       STR("Do you want to log out? Your open tunnels will need a new login."));
	(void)buf_append_str(&page, STR("<form method=\"post\" action=\""));
	(void)html_escape(&page, location);
	(void)buf_append_str(&page,
			     STR("\">\n<button type=\"submit\">Log out</button>\n</form>\n"));
	page_end(&page, STR(""));
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}

enum step endpoint_sign_out(struct exchange *x)
{
	struct reply reply = { .status = 302 };
	struct query params;

	if (!is_on_authenticate_host(x))
		return send_to_authenticate_host(x);
	if (verify_request_url(x, &params, NULL) < 0)
		return ask_to_confirm(x);
	end_sessions(x);
	clear_cookies(x, &reply);
	reply_redirect(&reply, STR("/.pomerium/signed_out"));
	return reply_send(x, &reply);
}

enum step endpoint_signed_out(struct exchange *x)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };

	page_begin(&page, STR("Logged out"));
	page_paragraph(&page, STR("You are logged out."));
	page_end(&page, STR(""));
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}
