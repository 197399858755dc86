/*
 * idp_login_work.c - a code becomes tokens, tokens become claims, claims become somebody
 *
 * The id_token says who it is; userinfo is laid over it, and must be about the same subject.
 */

#include "proxy/idp_work.h"

#include <assert.h>

#include "proxy/snapshot.h"

static int64_t id_expiry(const struct idp_work *w)
{
	if (!w->call->snapshot->config->idp.refresh_at_id_token_expiration)
		return 0;
	return oidc_id_token_expiry(&w->read);
}

static void finish(struct idp_work *w, int64_t userinfo_unix)
{
	struct session_secrets facts = {
		.access_token = w->tokens.access_token,
		.refresh_token = w->tokens.refresh_token,
		.id_token = w->tokens.id_token,
		/* GitHub's tokens last until they are revoked. */
		.access_expires_unix = idp_work_is_github(w) ? 0 : w->tokens.access_expires_unix,
		.id_expires_unix = w->id_expires_unix,
		.refreshed_unix = w->call->now_unix,
		.userinfo_unix = userinfo_unix,
	};

	if (idp_work_set_who(w) < 0) {
		idp_work_end(w, IDP_REFUSED);
		return;
	}
	session_secrets_free(TAKE(w->call->secrets));
	w->call->secrets = session_secrets_new(&facts);
	idp_work_end(w, IDP_DONE);
}

static void on_userinfo(struct idp_work *w, enum idp_result result)
{
	if (result == IDP_DONE && idp_work_overlay(w, NULL) < 0)
		result = IDP_REFUSED;
	if (result != IDP_DONE)
		idp_work_end(w, result);
	else
		finish(w, w->call->now_unix);
}

static void on_id_token(struct idp_work *w, enum idp_result result)
{
	if (result != IDP_DONE) {
		idp_work_end(w, result);
		return;
	}
	w->claims = w->read;
	w->id_expires_unix = id_expiry(w);
	if (str_is_empty(w->metadata->userinfo_endpoint))
		finish(w, 0);
	else
		idp_work_userinfo(w, w->tokens.access_token, claims_text(&w->claims, STR("sub")),
				  on_userinfo);
}

static void on_tokens(struct idp_work *w, const struct idp_reply *reply)
{
	enum idp_result result = idp_work_read_tokens(w, reply);

	if (result != IDP_DONE)
		idp_work_end(w, result);
	else if (idp_work_is_github(w))
		idp_work_userinfo(w, w->tokens.access_token, STR(""), on_userinfo);
	else if (str_is_empty(w->tokens.id_token))
		idp_work_refuse(w, "the identity provider gave no id_token: is \"openid\" among "
				   "the scopes?");
	else
		idp_work_verify(w, w->call->nonce, STR(""), on_id_token);
}

void idp_login_begin(struct idp_work *w)
{
	const struct idp_call *call = w->call;
	const struct oidc_login login = {
		.redirect_uri = call->redirect_uri,
		.nonce = call->nonce,
		.code_verifier = call->code_verifier,
	};
	struct oidc_call request;

	/* Without one any id_token of this provider would do. */
	assert(!str_is_empty(call->nonce));
	oidc_code_call(&call->idp->client, w->metadata, &login, call->code, &w->arena, &request);
	idp_work_ask(w, &request, on_tokens);
}
