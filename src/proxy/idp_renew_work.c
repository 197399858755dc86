/*
 * idp_renew_work.c - new tokens for the old, and what the provider says today
 *
 * A refresh token may be good for one use only. So from the moment the provider has given new tokens they are what must
 * reach the store, whatever happens to the steps behind that: only a refusal makes them worthless.
 */

#include "proxy/idp_work.h"

#include "proxy/snapshot.h"

/* Of the token, not of whom it describes (configuration.md 9). */
static const char *const token_claims[] = { "iss", "sub", "exp", "iat", NULL };

static const struct session_secrets *current(const struct idp_work *w)
{
	return w->fresh ? w->fresh : w->call->secrets;
}

void idp_count_failure(struct session_secrets *s, int64_t now_unix)
{
	s->failures++;
	s->failed_unix = now_unix;
}

static void take_fresh(struct idp_work *w)
{
	session_secrets_free(TAKE(w->call->secrets));
	w->call->secrets = TAKE(w->fresh);
}

static void keep_who(struct idp_work *w)
{
	identity_unref(TAKE(w->call->who));
	w->call->who = identity_ref(w->call->old_who);
}

bool idp_renew_rescue(struct idp_work *w)
{
	if (!w->fresh)
		return false;
	idp_count_failure(w->fresh, w->call->now_unix);
	take_fresh(w);
	keep_who(w);
	return true;
}

/* What did not work may be tried again. */
static void give_up(struct idp_work *w)
{
	idp_work_end(w, idp_renew_rescue(w) ? IDP_DONE : IDP_UNAVAILABLE);
}

static void stop(struct idp_work *w, enum idp_result result)
{
	if (result == IDP_UNAVAILABLE)
		give_up(w);
	else
		idp_work_end(w, result);
}

static struct session_secrets *copy_secrets(const struct session_secrets *s)
{
	struct session_secrets facts = *s;

	facts.failures = 0;
	facts.failed_unix = 0;
	return session_secrets_new(&facts);
}

static void finish(struct idp_work *w)
{
	if (idp_work_set_who(w) < 0) {
		idp_work_end(w, IDP_REFUSED);
		return;
	}
	if (!str_equal(w->call->who->user_id, w->call->old_who->user_id)) {
		idp_work_refuse(w, "the identity provider says that the session is another user's");
		return;
	}
	if (!w->fresh)
		w->fresh = copy_secrets(w->call->secrets);
	take_fresh(w);
	idp_work_end(w, IDP_DONE);
}

static void on_userinfo(struct idp_work *w, enum idp_result result)
{
	if (result == IDP_DONE && idp_work_overlay(w, NULL) < 0)
		result = IDP_REFUSED;
	if (result != IDP_DONE) {
		stop(w, result);
		return;
	}
	if (!w->fresh)
		w->fresh = copy_secrets(w->call->secrets);
	w->fresh->userinfo_unix = w->call->now_unix;
	finish(w);
}

static void look_at_userinfo(struct idp_work *w)
{
	const struct session_secrets *s = current(w);

	if (!session_userinfo_is_due(s, w->call->now_unix) ||
	    str_is_empty(w->metadata->userinfo_endpoint))
		finish(w);
	else
		idp_work_userinfo(w, arena_copy(&w->arena, s->access_token),
				  claims_text(&w->claims, STR("sub")), on_userinfo);
}

static void on_id_token(struct idp_work *w, enum idp_result result)
{
	if (result == IDP_DONE && idp_work_overlay(w, token_claims) < 0)
		result = IDP_REFUSED;
	if (result != IDP_DONE) {
		stop(w, result);
		return;
	}
	if (w->call->snapshot->config->idp.refresh_at_id_token_expiration)
		w->fresh->id_expires_unix = oidc_id_token_expiry(&w->read);
	look_at_userinfo(w);
}

static struct str either(struct str fresh, struct str old)
{
	return str_is_empty(fresh) ? old : fresh;
}

static struct session_secrets *renewed(const struct session_secrets *old,
				       const struct oidc_tokens *tokens, int64_t now_unix)
{
	return session_secrets_new(&(struct session_secrets){
		.access_token = tokens->access_token,
		.refresh_token = either(tokens->refresh_token, old->refresh_token),
		.id_token = either(tokens->id_token, old->id_token),
		.access_expires_unix = tokens->access_expires_unix,
		/* One that is not renewed with the others does not count any more: it would be due for ever. */
		.id_expires_unix = 0,
		.refreshed_unix = now_unix,
		.userinfo_unix = old->userinfo_unix,
	});
}

static void on_tokens(struct idp_work *w, const struct idp_reply *reply)
{
	enum idp_result result = idp_work_read_tokens(w, reply);

	if (result != IDP_DONE) {
		(void)err_wrap(&w->call->error, "refresh");
		idp_work_end(w, result);
		return;
	}
	w->fresh = renewed(w->call->secrets, &w->tokens, w->call->now_unix);
	if (str_is_empty(w->tokens.id_token) || idp_work_is_github(w))
		look_at_userinfo(w);
	else
		idp_work_verify(w, STR(""), claims_text(&w->claims, STR("sub")), on_id_token);
}

void idp_renew_begin(struct idp_work *w)
{
	struct idp_call *call = w->call;
	struct oidc_call request;

	w->claims = call->old_who->claims;
	if (!session_refresh_is_due(call->secrets, call->now_unix)) {
		look_at_userinfo(w);
		return;
	}
	oidc_refresh_call(&call->idp->client, w->metadata, call->secrets->refresh_token, &w->arena,
			  &request);
	idp_work_ask(w, &request, on_tokens);
}
