/*
 * idp_token_work.c - what is asked about tokens: to forget them, and whose one is
 */

#include "proxy/idp_work.h"

/* ---- revocation: the refresh token first, for it could make another access token ---- */

static void ask_to_forget(struct idp_work *w, struct str token,
			  void (*on_reply)(struct idp_work *w, const struct idp_reply *reply))
{
	struct oidc_call request;

	oidc_revocation_call(&w->call->idp->client, w->metadata, token, &w->arena, &request);
	if (str_is_empty(token) || str_is_empty(request.url))
		on_reply(w, &(struct idp_reply){ .status = 200 });
	else
		idp_work_ask(w, &request, on_reply);
}

static void on_access_token(struct idp_work *w, const struct idp_reply *reply)
{
	enum idp_result result = idp_reply_check(w, reply);

	idp_work_end(w, result != IDP_DONE ? result : w->result_so_far);
}

static void on_refresh_token(struct idp_work *w, const struct idp_reply *reply)
{
	w->result_so_far = idp_reply_check(w, reply);
	ask_to_forget(w, w->call->secrets->access_token, on_access_token);
}

void idp_revoke_begin(struct idp_work *w)
{
	ask_to_forget(w, w->call->secrets->refresh_token, on_refresh_token);
}

/* ---- whose it is ---- */

static void on_userinfo(struct idp_work *w, enum idp_result result)
{
	w->claims = w->read;
	if (result == IDP_DONE && idp_work_set_who(w) < 0)
		result = IDP_REFUSED;
	idp_work_end(w, result);
}

void idp_check_begin(struct idp_work *w)
{
	if (str_is_empty(w->metadata->userinfo_endpoint))
		idp_work_refuse(w, "the identity provider has no userinfo endpoint, so nobody can "
				   "say whose the access token is");
	else
		idp_work_userinfo(w, w->call->token, STR(""), on_userinfo);
}
