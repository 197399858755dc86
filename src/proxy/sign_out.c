/*
 * /.pomerium/sign_out (protocol.md 3.8): ends the session, which makes every token of it worthless.
 *
 * On a route's host the browser's cookie there is cleared and the browser is sent, with a signed URL, to the authenticate
 * host, which asks to confirm and then deletes the records. No other site can log anybody out: that takes a POST to a
 * URL that we have signed over the ids of the very sessions the browser shows, and only their owner is given that URL.
 * A signature alone would prove nothing, for anybody may ask for this page.
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

#define SESSION_ID_PARAM STR("pomerium_session_id")

/* Those of both cookies, and the one that a route's host has sent along. */
#define SESSIONS_MAX 3

static bool has_id(const struct query *ids, struct str id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (str_equal(ids->items[i].value, id))
			return true;
	return false;
}

static void add_id(struct query *ids, struct str id)
{
	if (ids->count < SESSIONS_MAX && !has_id(ids, id))
		query_add(ids, SESSION_ID_PARAM, id);
}

/* The sessions of both cookies: where the login is on the route's own host they may differ. */
static void add_ids_of_cookies(struct exchange *x, struct query *ids)
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
			add_id(ids, arena_copy(&x->arena, str_from(session->id)));
		session_unref(session);
	}
}

static void add_ids_of_query(const struct query *params, struct query *ids)
{
	for (size_t i = 0; i < params->count; i++)
		if (str_equal(params->items[i].name, SESSION_ID_PARAM))
			add_id(ids, params->items[i].value);
}

static bool has_all(const struct query *ids, const struct query *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (!has_id(ids, wanted->items[i].value))
			return false;
	return true;
}

static void clear_cookies(struct exchange *x, struct reply *reply)
{
	reply_header(reply, STR("set-cookie"), cleared_cookie(x, STR(COOKIE_SESSION)));
	if (is_on_authenticate_host(x))
		reply_header(reply, STR("set-cookie"), cleared_cookie(x, STR(COOKIE_AUTHENTICATE)));
}

/* From a route's host to the authenticate host. */
static enum step send_to_authenticate_host(struct exchange *x, const struct query *ids)
{
	struct reply reply = { .status = 302 };
	struct query params = *ids;
	struct str location;

	query_add(&params, STR("pomerium_redirect_uri"),
		  arena_printf(&x->arena, "https://%.*s/", STR_FMT(x->facts.authority)));
	if (sign_url(x, authenticate_authority(x), STR("/.pomerium/sign_out"), &params, &location) <
	    0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	clear_cookies(x, &reply);
	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}

static enum step ask_to_confirm(struct exchange *x, const struct query *ids)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };
	struct str location;

	if (sign_url(x, x->facts.authority, STR("/.pomerium/sign_out"), ids, &location) < 0)
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

static enum step end_sessions(struct exchange *x, const struct query *ids)
{
	struct reply reply = { .status = 302 };

	for (size_t i = 0; i < ids->count; i++)
		(void)store_delete_session(x->worker->shared.store, ids->items[i].value);
	clear_cookies(x, &reply);
	reply_redirect(&reply, STR("/.pomerium/signed_out"));
	return reply_send(x, &reply);
}

enum step endpoint_sign_out(struct exchange *x)
{
	struct query here = { 0 };
	struct query ids = { 0 };
	struct query params;
	bool is_confirmed;

	add_ids_of_cookies(x, &here);
	if (!is_on_authenticate_host(x))
		return send_to_authenticate_host(x, &here);
	is_confirmed = verify_request_url(x, &params, NULL) == 0;
	if (is_confirmed)
		add_ids_of_query(&params, &ids);
	is_confirmed = is_confirmed && str_equal(x->request->method, STR("POST")) &&
		       has_all(&ids, &here);
	add_ids_of_query(&here, &ids);
	/* Who has nothing to lose need not be asked. */
	return is_confirmed || ids.count == 0 ? end_sessions(x, &ids) : ask_to_confirm(x, &ids);
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
