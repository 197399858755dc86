/*
 * /.pomerium/sign_in on the authenticate host (protocol.md 3.4 steps 2 and 5): whoever is logged in here is sent on to the route
 * with a token for it; whoever is not is sent to the identity provider.
 */

#include "base/clock.h"
#include "base/codec.h"
#include "base/url.h"
#include "jose/jws.h"
#include "jose/seal.h"
#include "proxy/endpoints.h"
#include "proxy/idp.h"
#include "proxy/local_login.h"
#include "proxy/login_cookies.h"
#include "proxy/oidc_login.h"
#include "proxy/respond.h"
#include "proxy/session_issue.h"
#include "proxy/sign_in_url.h"

/* protocol.md 3.4 step 3 */
static enum step begin_login(struct exchange *x, const struct idp *idp)
{
	struct str next = arena_printf(&x->arena, "%.*s?%.*s", STR_FMT(x->request->path),
				       STR_FMT(x->request->query));

	if (!idp->client.provider)
		return respond_error(
			x, 500,
			STR("This gateway has no identity provider: its operator has to set idp_provider."));
	switch (idp->client.provider->kind) {
	case PROVIDER_LOCAL:
		return local_login_begin(x, next);
	case PROVIDER_OIDC:
	case PROVIDER_GITHUB:
		return oidc_login_begin(x, idp, next);
	}
	return respond_refusal(x, REFUSAL_INTERNAL);
}

static int seal_token(struct exchange *x, struct str token, struct str *ret_text)
{
	struct buf sealed = BUF_INIT(JWS_MAX + SEAL_OVERHEAD);
	struct buf text = BUF_INIT(2 * (JWS_MAX + SEAL_OVERHEAD));
	int result = -1;

	if (seal_close((const uint8_t *)x->snapshot->shared_key.at, token, STR(""), &sealed,
		       NULL) == 0 &&
	    base64_encode(&text, BASE64_URL_PADDED, sealed.data, sealed.len) == 0) {
		*ret_text = arena_copy(&x->arena, buf_view(&text));
		result = 0;
	}
	buf_done(&sealed);
	buf_done(&text);
	return result;
}

/*
 * Where on the route the token is to be delivered: given, or made from where the user wants to go. Nobody but us can sign such
 * a link, and we sign none for strangers; but what carries a token is looked at again.
 */
static int find_callback(struct exchange *x, const struct query *params, struct url *ret_redirect,
			 struct url *ret_callback, bool *ret_is_given)
{
	struct str redirect_uri;
	struct str callback_uri;

	if (!query_get(params, STR("pomerium_redirect_uri"), &redirect_uri) ||
	    url_parse(redirect_uri, ret_redirect, NULL) < 0)
		return -1;
	*ret_is_given = query_get(params, STR("pomerium_callback_uri"), &callback_uri);
	if (!*ret_is_given)
		callback_uri = arena_printf(&x->arena, "https://%.*s/.pomerium/callback/",
					    STR_FMT(ret_redirect->authority.text));
	if (url_parse(callback_uri, ret_callback, NULL) < 0)
		return -1;
	return str_equal_nocase(ret_callback->scheme, STR("https")) &&
			       is_host_of_ours(x, ret_callback->authority.host)
		       ? 0
		       : -1;
}

/* protocol.md 3.4 step 5 */
static enum step deliver(struct exchange *x, struct session *session, const struct query *params)
{
	struct reply reply = { .status = 302 };
	struct url redirect;
	struct url callback;
	struct query answer;
	struct str programmatic;
	struct str location;
	struct str own_token;
	struct str token;
	struct str sealed;
	bool is_callback_given;

	if (find_callback(x, params, &redirect, &callback, &is_callback_given) < 0 ||
	    query_parse(callback.query, &x->arena, &answer, NULL) < 0)
		return respond_error(x, 400,
				     STR("This link leads to an address that is not valid."));
	if (session_issue_token(x, session, redirect.authority.text,
				is_callback_given ? callback.authority.text : STR(""),
				&token) < 0 ||
	    session_issue_token(x, session, STR(""), STR(""), &own_token) < 0 ||
	    seal_token(x, token, &sealed) < 0)
		return respond_refusal(x, REFUSAL_INTERNAL);

	query_remove(&answer, STR("pomerium_additional_hosts"));
	query_remove(&answer, STR("pomerium_programmatic"));
	query_remove(&answer, STR("pomerium_redirect_uri"));
	query_remove(&answer, STR("pomerium_session_encrypted"));
	if (answer.count > QUERY_PARAMS_MAX / 2)
		return respond_error(x, 400, STR("This link has too many parameters."));
	query_add(&answer, STR("pomerium_additional_hosts"), STR(""));
	if (query_get(params, STR("pomerium_programmatic"), &programmatic) &&
	    str_equal(programmatic, STR("true")))
		query_add(&answer, STR("pomerium_programmatic"), STR("true"));
	(void)query_get(params, STR("pomerium_redirect_uri"), &location);
	query_add(&answer, STR("pomerium_redirect_uri"), location);
	query_add(&answer, STR("pomerium_session_encrypted"), sealed);
	if (sign_url(x, callback.authority.text, callback.path, &answer, &location) < 0)
		return respond_error(x, 400, STR("This link is too long."));

	reply_header(&reply, STR("set-cookie"),
		     login_cookie(x, LOGIN_COOKIE_AUTHENTICATE, own_token));
	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}

/* A script cannot show a login page (protocol.md 3.4 step 2). */
static bool is_script(const struct http_request *request)
{
	struct str with;

	return http_headers_get(&request->headers, STR("x-requested-with"), &with) &&
	       str_equal_nocase(with, STR("XmlHttpRequest"));
}

/* The provider the link asks for; NULL if it is not one of this configuration. */
static const struct idp *wanted_idp(struct exchange *x, const struct query *params)
{
	struct str id;

	if (!query_get(params, STR("pomerium_idp_id"), &id) || str_is_empty(id))
		return x->snapshot->idps.global;
	return idp_table_find(&x->snapshot->idps, id);
}

enum step endpoint_sign_in(struct exchange *x)
{
	struct err e = { 0 };
	struct query params;
	const struct idp *idp;

	if (verify_request_url(x, &params, &e) < 0)
		return respond_error(
			x, 400,
			arena_printf(&x->arena,
				     "This link is not valid: %s. Start the login again.", e.text));
	idp = wanted_idp(x, &params);
	if (!idp)
		return respond_error(
			x, 400,
			STR("This link is for another identity provider. Start the login again."));
	if (x->login_session && str_equal(x->login_session->idp_id, str_from(idp->id)))
		return deliver(x, x->login_session, &params);
	if (is_script(x->request))
		return respond_error(x, 401, STR("You have to log in."));
	return begin_login(x, idp);
}
