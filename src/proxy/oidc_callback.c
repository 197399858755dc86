/*
 * /oauth2/callback (protocol.md 3.4 step 4): the provider sends the browser back with a code, which is exchanged on the control
 * thread for tokens and claims; they become a session. A POST is the same with its parameters in the body.
 */

#include "base/clock.h"
#include "base/mem.h"
#include "base/url.h"
#include "proxy/ask.h"
#include "proxy/control.h"
#include "proxy/endpoints.h"
#include "proxy/login_cookies.h"
#include "proxy/login_finish.h"
#include "proxy/oidc_login.h"
#include "proxy/oidc_state.h"
#include "proxy/respond.h"
#include "proxy/worker.h"

struct callback {
	struct oidc_state state;
	const struct idp *idp;
};

static struct session *make_session(struct exchange *x, const struct idp_call *call)
{
	int64_t now = clock_now_unix();
	int64_t end = now + x->snapshot->config->cookies.expire_s;

	return session_new(&(struct session_facts){
		.kind = SESSION_LOGIN,
		.idp_id = str_from(call->idp->id),
		.who = call->who,
		.issued_unix = now,
		.expires_unix = end,
		.valid_until_unix = call->secrets ? session_valid_until(call->secrets, end) : end,
	});
}

static enum step on_exchanged(struct ask *ask, struct exchange *x)
{
	struct idp_ask *i = container_of(ask, struct idp_ask, ask);
	const struct oidc_state *state = &((const struct callback *)i->extra)->state;
	struct session *session;
	enum step step;

	if (i->call.result != IDP_DONE)
		return oidc_login_fail(x, i->call.result == IDP_UNAVAILABLE, &i->call.error);
	session = make_session(x, &i->call);
	step = login_finish(x, &(struct login_end){
				       .session = session,
				       .secrets = TAKE(i->call.secrets),
				       .next = state->next,
				       .cleared = cleared_pkce_cookie(x, state->login_id),
			       });
	session_unref(session);
	return step;
}

/* RFC 6749 section 4.1.2.1. What the provider says is for the log; the page says what it means. */
static enum step provider_refused(struct exchange *x, struct str error)
{
	bool is_denied = str_equal(error, STR("access_denied")) ||
			 str_equal(error, STR("unauthorized_client"));
	struct err e = { 0 };

	(void)err_set(&e, ERR_PROTOCOL, "the identity provider answers \"%.*s\"",
		      STR_FMT(str_first(error, 64)));
	login_log(x, STR(""), e.text);
	return respond_error(
		x, is_denied ? 401 : 400,
		is_denied
			? STR("The identity provider says that access was denied.")
			: STR("The identity provider could not complete the login. Start it again."));
}

static int read_params(struct exchange *x, struct query *ret)
{
	bool is_post = str_equal(x->request->method, STR("POST"));

	return query_parse(is_post ? x->request->body : x->request->query, &x->arena, ret, NULL);
}

/* RFC 9207: an answer of one provider must not pass for that of another. */
static bool issuer_fits(struct exchange *x, const struct idp *idp, const struct query *params)
{
	struct oidc_metadata *metadata = idp_service_metadata(x->worker->shared.control->idps, idp);
	struct str issuer;
	bool has_issuer = query_get(params, STR("iss"), &issuer);
	bool fits;

	if (!metadata)
		return true; /* the exchange of the code will learn it, and check the id_token's */
	fits = has_issuer ? str_equal(issuer, metadata->issuer) : !metadata->has_iss_parameter;
	oidc_metadata_unref(metadata);
	return fits;
}

static enum step exchange_code(struct exchange *x, struct callback *callback, struct str code)
{
	struct idp_ask *i = idp_ask_new(x, callback->idp, IDP_LOGIN, on_exchanged);
	struct callback *kept = arena_alloc(&x->arena, sizeof(*kept));
	struct idp_call *call = &i->call;

	*kept = *callback;
	i->extra = kept;
	call->code = arena_copy(&call->arena, code);
	call->redirect_uri = arena_copy(&call->arena, oidc_redirect_uri(x));
	call->nonce = arena_copy(&call->arena, callback->state.nonce);
	call->code_verifier = arena_copy(&call->arena, callback->state.code_verifier);
	return idp_ask_start(i, x);
}

enum step endpoint_oidc_callback(struct exchange *x)
{
	struct callback callback = { 0 };
	struct query params;
	struct err e = { 0 };
	struct str text;

	if (read_params(x, &params) < 0)
		return respond_error(x, 400, STR("This address is broken. Start the login again."));
	if (!query_get(&params, STR("state"), &text))
		return respond_error(x, 400,
				     STR("This address is not complete. Start the login again."));
	if (oidc_state_continue(x, text, &callback.state, &e) < 0) {
		login_log(x, STR(""), e.text);
		return respond_error(
			x, 400,
			arena_printf(&x->arena,
				     "This login cannot go on: %s. Start the login again.",
				     e.text));
	}
	callback.idp = idp_table_find(&x->snapshot->idps, callback.state.idp_id);
	if (!callback.idp)
		return respond_error(
			x, 400,
			STR("This login was for another identity provider. Start the login again."));
	if (query_get(&params, STR("error"), &text))
		return provider_refused(x, text);
	if (!query_get(&params, STR("code"), &text) || str_is_empty(text) ||
	    !issuer_fits(x, callback.idp, &params))
		return respond_error(x, 400,
				     STR("This address is not complete. Start the login again."));
	return exchange_code(x, &callback, text);
}
