/*
 * /.pomerium/sign_out (protocol.md 3.8): ends the session, which makes every token of it worthless.
 *
 * On a route's host the browser's cookie there is cleared and the browser is sent, with a signed URL, to the authenticate
 * host, which asks to confirm and then deletes the records. No other site can log anybody out: that takes a POST to a
 * URL that we have signed over the ids of the very sessions the browser shows, and only their owner is given that URL.
 * A signature alone would prove nothing, for anybody may ask for this page.
 */

#include "proxy/sign_out.h"

#include <stdio.h>

#include "base/url.h"
#include "identity/oidc_request.h"
#include "proxy/ask.h"
#include "proxy/control.h"
#include "proxy/endpoints.h"
#include "proxy/idp.h"
#include "proxy/login_cookies.h"
#include "proxy/pages/page.h"
#include "proxy/pages/pages.h"
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
	if (x->session && x->credential == CREDENTIAL_COOKIE)
		add_id(ids, str_from(x->session->id));
	if (x->login_session)
		add_id(ids, str_from(x->login_session->id));
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
	reply_header(reply, STR("set-cookie"), cleared_cookie(x, LOGIN_COOKIE_SESSION));
	if (is_on_authenticate_host(x))
		reply_header(reply, STR("set-cookie"),
			     cleared_cookie(x, LOGIN_COOKIE_AUTHENTICATE));
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
	sign_out_page_write(&page, location);
	reply_form_page(x, &reply, &page);
	return reply_send(x, &reply);
}

static enum step answer_signed_out(struct exchange *x, struct str location)
{
	struct reply reply = { .status = 302 };
	struct str configured = x->snapshot->config->idp.sign_out_url;

	if (str_is_empty(location))
		location = str_is_empty(configured) ? STR("/.pomerium/signed_out") : configured;
	clear_cookies(x, &reply);
	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}

/* Ends one after the other; where the provider ends a login, too, the browser goes there in the end. */
struct ending {
	struct query ids;
	size_t next;
	struct str location;
	enum step (*answer)(struct exchange *x, struct str location);
};

static enum step end_next(struct exchange *x, struct ending *ending);

/* Tells the provider to forget the tokens, without waiting for it, and finds out where the browser has to go. */
static void end_at_provider(struct exchange *x, struct ending *ending, struct store_item *item)
{
	const struct idp *idp = idp_table_find(&x->snapshot->idps, item->session->idp_id);
	struct oidc_metadata *metadata;
	struct str return_to = x->snapshot->config->idp.sign_out_url;
	struct idp_ask *i;

	if (!idp || !item->secrets)
		return;
	metadata = idp_service_metadata(x->worker->shared.control->idps, idp);
	if (str_is_empty(return_to))
		return_to = arena_printf(&x->arena, "https://%.*s/.pomerium/signed_out",
					 STR_FMT(authenticate_authority(x)));
	if (metadata)
		ending->location = oidc_sign_out_url(&idp->client, metadata,
						     item->secrets->id_token, return_to, &x->arena);
	oidc_metadata_unref(metadata);
	i = idp_ask_new(x, idp, IDP_REVOKE, NULL);
	i->call.secrets = TAKE(item->secrets);
	idp_ask_send(i, x->worker);
}

static enum step on_removed(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	struct ending *ending = s->extra;

	switch (s->call.result) {
	case STORE_DONE:
		end_at_provider(x, ending, &s->call.item);
		return end_next(x, ending);
	case STORE_ABSENT:
		return end_next(x, ending);
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	return respond_refusal(x, REFUSAL_STORE_AWAY);
}

static enum step end_next(struct exchange *x, struct ending *ending)
{
	struct store_ask *s;
	struct str id;

	if (ending->next == ending->ids.count)
		return ending->answer(x, ending->location);
	id = ending->ids.items[ending->next++].value; /* one of ours: fits */
	s = store_ask_new(on_removed);
	s->call.verb = STORE_REMOVE;
	s->call.kind = RECORD_SESSION;
	(void)snprintf(s->call.key, sizeof(s->call.key), "%.*s", STR_FMT(id));
	s->extra = ending;
	return store_ask_start(s, x);
}

static enum step end_sessions(struct exchange *x, const struct query *ids,
			      enum step (*answer)(struct exchange *x, struct str location))
{
	struct ending *ending = arena_alloc(&x->arena, sizeof(*ending));

	ending->ids = *ids;
	ending->answer = answer;
	return end_next(x, ending);
}

enum step sign_out_session(struct exchange *x, struct str id,
			   enum step (*answer)(struct exchange *x, struct str location))
{
	struct query ids = { 0 };

	add_id(&ids, id);
	return end_sessions(x, &ids, answer);
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
	return is_confirmed || ids.count == 0 ? end_sessions(x, &ids, answer_signed_out)
					      : ask_to_confirm(x, &ids);
}

enum step endpoint_signed_out(struct exchange *x)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };

	signed_out_page_write(&page);
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}
