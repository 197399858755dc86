/*
 * idp_token_work.c - the provider is asked to forget tokens
 */

#include "proxy/idp_work.h"

/* The refresh token first, for it could make another access token. */

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
